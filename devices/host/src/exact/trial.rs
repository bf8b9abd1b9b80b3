//! Modules run on a device and by the reference, and compared.

use hotsled_ir::{
    Elem, Expr, Local, LocalId, Module, Param, ParamId, ParamKind, Stmt, Type, Valid, interp,
};

use crate::cannot::Cannot;

/// Enough for every module that is tried.
const BUDGET: u64 = 1 << 24;

/// A device on which modules of the shape that [`module`] makes can be tried.
pub(crate) trait Tried {
    /// Why a trial has no result.
    type Error: From<Cannot>;

    /// Runs a module over the indices below `count`, slices of so many elements; gives all slices as the
    /// device left them, scalars as nothing.
    fn run(
        &mut self,
        module: &Valid,
        args: &[interp::Arg],
        count: u64,
    ) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Whether any output differs from the reference's.
    #[cfg(feature = "vulkan")]
    fn differs(
        &mut self,
        module: &Valid,
        inputs: Vec<interp::Arg>,
        count: u64,
    ) -> Result<bool, Self::Error> {
        let found = self.compare(module, inputs, count)?;
        Ok(found.iter().any(Option::is_some))
    }

    /// For each output its first element that is not the reference's, if there is one; all NaNs count as
    /// equal.
    fn compare(
        &mut self,
        module: &Valid,
        inputs: Vec<interp::Arg>,
        count: u64,
    ) -> Result<Vec<Option<String>>, Self::Error> {
        let (given, mut args) = (inputs.len(), inputs);
        let outs = module.params[given..]
            .iter()
            .map(|p| vec![0; bytes(p.kind, count)]);
        args.extend(outs.map(interp::Arg::Slice));
        let results = self.run(module, &args, count)?;
        interp::run(module, &mut args, 0, count, BUDGET).expect("modules on trial do not fault");
        let pairs = module
            .params
            .iter()
            .zip(results.iter().zip(&args))
            .skip(given);
        Ok(pairs
            .map(|(p, (got, wanted))| difference(p.kind, &args[..given], got, wanted))
            .collect())
    }
}

fn bytes(kind: ParamKind, count: u64) -> usize {
    match kind {
        ParamKind::Input(elem) | ParamKind::Own(elem) => (elem.size() * count) as usize,
        _ => 0,
    }
}

fn difference(
    kind: ParamKind,
    inputs: &[interp::Arg],
    got: &[u8],
    wanted: &interp::Arg,
) -> Option<String> {
    let (ParamKind::Own(elem), interp::Arg::Slice(wanted)) = (kind, wanted) else {
        return None;
    };
    let size = elem.size() as usize;
    let same = |a: &[u8], b: &[u8]| a == b || elem.is_nan(a) && elem.is_nan(b);
    let mut pairs = got.chunks(size).zip(wanted.chunks(size));
    let at = pairs.position(|(a, b)| !same(a, b))?;
    let of = inputs.iter().filter_map(|input| match input {
        interp::Arg::Slice(bytes) => bytes.chunks(bytes.len() * size / wanted.len()).nth(at),
        interp::Arg::Scalar(_) => None,
    });
    let bits = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    let of: Vec<String> = of.map(bits).collect();
    let span = at * size..(at + 1) * size;
    let (got, wanted) = (bits(&got[span.clone()]), bits(&wanted[span]));
    Some(format!("{got} instead of {wanted} of {}", of.join(", ")))
}

/// A module of inputs `x`, `y`.. and one output for each expression over them and the index.
pub(crate) fn module(inputs: &[Elem], outputs: &[(Elem, Expr)]) -> Valid {
    looping(inputs, outputs, vec![])
}

/// As [`module`], behind statements that may use `U64` locals 1 and 2.
pub(crate) fn looping(inputs: &[Elem], outputs: &[(Elem, Expr)], body: Vec<Stmt>) -> Valid {
    let inputs: Vec<_> = inputs.iter().map(|e| ParamKind::Input(*e)).collect();
    built(&inputs, outputs, body)
}

/// As [`looping`], of a `U64` scalar and one `U64` output.
#[cfg(feature = "vulkan")]
pub(crate) fn scaled(body: Vec<Stmt>, output: Expr) -> Valid {
    built(
        &[ParamKind::Scalar(Type::U64)],
        &[(Elem::U64, output)],
        body,
    )
}

fn built(inputs: &[ParamKind], outputs: &[(Elem, Expr)], mut body: Vec<Stmt>) -> Valid {
    let param = |kind| Param {
        name: "p".into(),
        kind,
    };
    let mut params: Vec<_> = inputs.iter().copied().map(param).collect();
    params.extend(outputs.iter().map(|(e, _)| param(ParamKind::Own(*e))));
    let store = |(n, (_, e)): (usize, &(Elem, Expr))| {
        Stmt::Store(ParamId((inputs.len() + n) as u16), e.clone())
    };
    body.extend(outputs.iter().enumerate().map(store));
    let local = |name: &str| Local {
        name: name.into(),
        ty: Type::U64,
    };
    let module = Module {
        name: "trial".into(),
        params,
        locals: ["i", "k", "sum"].map(local).into(),
        arrays: vec![],
        prelude: vec![],
        index: LocalId(0),
        body,
    };
    hotsled_ir::validate(module).expect("modules on trial are valid")
}

/// Input `n` at the index.
pub(crate) fn input(n: u16) -> Expr {
    Expr::Load(ParamId(n), Box::new(Expr::Local(LocalId(0))))
}
