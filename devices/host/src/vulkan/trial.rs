//! Modules run on the device and by the reference, and compared.

use std::sync::Arc;

use hotsled_ir::{
    BinOp, Elem, Expr, Local, LocalId, Module, Param, ParamId, ParamKind, Stmt, Type, Valid, Value,
    interp,
};

use super::error::{Lost, VulkanError};
use super::gpu::{Buffer, Gpu, Place};
use super::kernel::Kernel;
use super::machine::Machine;
use crate::cache::Cache;
use crate::cannot::Cannot;
use crate::spirv::{self, Features};

/// Enough for every module that is tried.
const BUDGET: u64 = 1 << 24;

/// Why a trial has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrialError {
    #[error(transparent)]
    Cannot(#[from] Cannot),
    #[error(transparent)]
    Vulkan(#[from] VulkanError),
}

impl From<Lost> for TrialError {
    fn from(lost: Lost) -> Self {
        Self::Vulkan(lost.into())
    }
}

/// Runs modules of the shape that [`module`] makes.
pub(super) struct Trial<'a> {
    pub(super) gpu: &'a Arc<Gpu>,
    pub(super) machine: &'a mut Machine,
}

impl Trial<'_> {
    /// Whether any output differs from the reference's.
    fn differs(
        &mut self,
        features: &Features,
        module: &Valid,
        inputs: Vec<interp::Arg>,
        count: u64,
    ) -> Result<bool, TrialError> {
        let found = self.compare(features, module, inputs, count)?;
        Ok(found.iter().any(Option::is_some))
    }

    /// For each output its first element that is not the reference's, if there is one; all NaNs count as
    /// equal.
    pub(super) fn compare(
        &mut self,
        features: &Features,
        module: &Valid,
        inputs: Vec<interp::Arg>,
        count: u64,
    ) -> Result<Vec<Option<String>>, TrialError> {
        let lowered = spirv::lower(module, features)?;
        let kernel = Kernel::new(self.gpu, module, &lowered.words, &Cache::OFF)?;
        let (given, mut args) = (inputs.len(), inputs);
        let outs = module.params[given..]
            .iter()
            .map(|p| vec![0; bytes(p.kind, count)]);
        args.extend(outs.map(interp::Arg::Slice));
        let results = self.run(&kernel, &args, count)?;
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

    fn run(
        &mut self,
        kernel: &Kernel,
        args: &[interp::Arg],
        count: u64,
    ) -> Result<Vec<Vec<u8>>, TrialError> {
        let mut block = vec![0, count, 0];
        let mut buffers = Vec::new();
        for arg in args {
            let bytes = match arg {
                interp::Arg::Slice(bytes) => bytes,
                interp::Arg::Scalar(value) => {
                    block.push(value.bits());
                    buffers.push(None);
                    continue;
                }
            };
            let buffer = Buffer::new(self.gpu, bytes.len() as u64, Place::Device)?;
            // SAFETY: `bytes` is readable for its length.
            unsafe {
                self.machine
                    .write(&buffer, 0, bytes.as_ptr(), bytes.len() as u64)?
            };
            block.extend([buffer.address, count]);
            buffers.push(Some(buffer));
        }
        self.machine.launch(kernel, &block)?;
        let mut results = Vec::new();
        for buffer in &buffers {
            let Some(buffer) = buffer else {
                results.push(Vec::new());
                continue;
            };
            let mut bytes = vec![0; buffer.bytes as usize];
            // SAFETY: `bytes` is writable for its length.
            unsafe {
                self.machine
                    .read(buffer, 0, bytes.as_mut_ptr(), buffer.bytes)?
            };
            results.push(bytes);
        }
        Ok(results)
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
pub(super) fn module(inputs: &[Elem], outputs: &[(Elem, Expr)]) -> Valid {
    looping(inputs, outputs, vec![])
}

/// As [`module`], behind statements that may use `U64` locals 1 and 2.
fn looping(inputs: &[Elem], outputs: &[(Elem, Expr)], body: Vec<Stmt>) -> Valid {
    let inputs: Vec<_> = inputs.iter().map(|e| ParamKind::Input(*e)).collect();
    built(&inputs, outputs, body)
}

/// As [`looping`], of a `U64` scalar and one `U64` output.
fn scaled(body: Vec<Stmt>, output: Expr) -> Valid {
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
pub(super) fn input(n: u16) -> Expr {
    Expr::Load(ParamId(n), Box::new(Expr::Local(LocalId(0))))
}

/// Whether the driver folds arithmetic with constants, or of a value with itself, as if infinities, NaN
/// and the sign of zeros did not matter.
pub(super) fn folds(trial: &mut Trial<'_>, features: &Features) -> Result<bool, TrialError> {
    let values = [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for elem in [Elem::F32, Elem::F64] {
        if elem == Elem::F64 && !features.float64 {
            continue;
        }
        let zero = match elem {
            Elem::F64 => Value::F64(0.0),
            _ => Value::F32(0.0),
        };
        let (zero, x) = (|| Box::new(Expr::Const(zero)), || Box::new(input(0)));
        let pairs = [(BinOp::Mul, zero(), x()), (BinOp::Mul, x(), zero())];
        let more = [
            (BinOp::Div, zero(), x()),
            (BinOp::Add, zero(), x()),
            (BinOp::Sub, x(), x()),
        ];
        let expr = |(op, a, b)| (elem, Expr::Binary(op, a, b));
        let outputs: Vec<_> = pairs.into_iter().chain(more).map(expr).collect();
        let bytes = values.iter().flat_map(|v| match elem {
            Elem::F64 => v.to_le_bytes().to_vec(),
            _ => (*v as f32).to_le_bytes().to_vec(),
        });
        let module = module(&[elem], &outputs);
        let count = values.len() as u64;
        if trial.differs(
            features,
            &module,
            vec![interp::Arg::Slice(bytes.collect())],
            count,
        )? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the driver ends loops that run long and goes on behind them.
pub(super) fn cuts(trial: &mut Trial<'_>, features: &Features) -> Result<bool, TrialError> {
    let (k, sum) = (LocalId(1), LocalId(2));
    let number = |v| Expr::Const(Value::U64(v));
    let index = Box::new(Expr::Local(LocalId(0)));
    let term = Expr::Binary(BinOp::Xor, Box::new(Expr::Local(k)), index);
    let next = Expr::Binary(BinOp::Add, Box::new(Expr::Local(sum)), Box::new(term));
    let body = vec![
        Stmt::Set(sum, number(0)),
        Stmt::For {
            var: k,
            start: number(0),
            end: number(200_000),
            body: vec![Stmt::Set(sum, next)],
        },
    ];
    let module = looping(&[], &[(Elem::U64, Expr::Local(sum))], body);
    trial.differs(features, &module, vec![], 2)
}

/// Whether the driver divides 64-bit integers wrongly. Of all that was tried, this showed it: the indices
/// before and after a remainder, both wanted (NVIDIA 580.159 takes `(x + 1) % n` for `x` then).
pub(super) fn misdivides(trial: &mut Trial<'_>, features: &Features) -> Result<bool, TrialError> {
    let number = |v| Expr::Const(Value::U64(v));
    let scalar = || Box::new(Expr::Scalar(ParamId(0)));
    let binary = |op, a, b| Expr::Binary(op, Box::new(a), Box::new(b));
    let rest = |a| Expr::Binary(BinOp::Rem, Box::new(a), scalar());
    let x = Expr::Local(LocalId(1));
    let around = binary(BinOp::Add, x.clone(), *scalar());
    let before = rest(binary(BinOp::Sub, around, number(1)));
    let after = rest(binary(BinOp::Add, x, number(1)));
    let both = binary(BinOp::Add, after, binary(BinOp::Mul, before, number(1000)));
    let body = vec![Stmt::Set(LocalId(1), rest(Expr::Local(LocalId(0))))];
    let module = scaled(body, both);
    for n in [7, 16] {
        let given = vec![interp::Arg::Scalar(Value::U64(n))];
        if trial.differs(features, &module, given, 64)? {
            return Ok(true);
        }
    }
    Ok(false)
}
