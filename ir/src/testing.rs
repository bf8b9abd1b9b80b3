//! Small builders for tests: a module with `x: in f32`, `y: own f32`, index local 0 and locals 1 (f32),
//! 2 (u64).

use crate::types::*;

pub(crate) fn module(body: Vec<Stmt>) -> Module {
    let param = |name: &str, kind| Param {
        name: name.into(),
        kind,
    };
    let local = |name: &str, ty| Local {
        name: name.into(),
        ty,
    };
    Module {
        name: "test".into(),
        params: vec![
            param("x", ParamKind::Input(Elem::F32)),
            param("y", ParamKind::Own(Elem::F32)),
        ],
        locals: vec![
            local("i", Type::U64),
            local("a", Type::F32),
            local("k", Type::U64),
        ],
        arrays: vec![],
        prelude: vec![],
        index: LocalId(0),
        body,
    }
}

pub(crate) fn load(param: u16, index: Expr) -> Expr {
    Expr::Load(ParamId(param), Box::new(index))
}

pub(crate) fn add(a: Expr, b: Expr) -> Expr {
    Expr::Binary(BinOp::Add, Box::new(a), Box::new(b))
}
