//! Small modules.

use hotsled_ir::{
    BinOp, Elem, Expr, Local, LocalId, Module, Param, ParamId, ParamKind, Stmt, Type, Valid,
    interp, validate,
};

pub fn local(id: u16) -> Box<Expr> {
    Box::new(Expr::Local(LocalId(id)))
}

pub fn scalar(id: u16) -> Box<Expr> {
    Box::new(Expr::Scalar(ParamId(id)))
}

pub fn bin(op: BinOp, a: Box<Expr>, b: Box<Expr>) -> Box<Expr> {
    Box::new(Expr::Binary(op, a, b))
}

pub fn module(params: &[ParamKind], locals: &[Type], body: Vec<Stmt>) -> Valid {
    let param = |kind: &ParamKind| Param {
        name: "p".into(),
        kind: *kind,
    };
    let mut all = vec![Local {
        name: "i".into(),
        ty: Type::U64,
    }];
    all.extend(locals.iter().map(|ty| Local {
        name: "l".into(),
        ty: *ty,
    }));
    let module = Module {
        name: "conformance".into(),
        params: params.iter().map(param).collect(),
        locals: all,
        arrays: vec![],
        prelude: vec![],
        index: LocalId(0),
        body,
    };
    validate(module).unwrap()
}

pub fn saxpy() -> (Valid, Vec<ParamKind>) {
    let kinds = vec![
        ParamKind::Scalar(Type::F32),
        ParamKind::Input(Elem::F32),
        ParamKind::Own(Elem::F32),
    ];
    let product = bin(
        BinOp::Mul,
        scalar(0),
        Box::new(Expr::Load(ParamId(1), local(0))),
    );
    let body = vec![Stmt::Store(
        ParamId(2),
        *bin(BinOp::Add, product, Box::new(Expr::LoadOwn(ParamId(2)))),
    )];
    (module(&kinds, &[], body), kinds)
}

pub fn floats(values: impl IntoIterator<Item = f32>) -> interp::Arg {
    interp::Arg::Slice(values.into_iter().flat_map(f32::to_le_bytes).collect())
}
