//! Modules on trial, run by an open device, and what is tried before anything else.

use std::sync::Arc;

use hotsled_ir::{BinOp, Elem, Expr, LocalId, ParamId, Stmt, Valid, Value, interp};

use super::error::{Lost, VulkanError};
use super::gpu::{Buffer, Gpu, Place};
use super::kernel::Kernel;
use super::machine::Machine;
use crate::cache::Cache;
use crate::cannot::Cannot;
use crate::driven::Machine as _;
use crate::exact::trial::{Tried, input, looping, module, scaled};
use crate::spirv::{self, Features};

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

/// An open device that tries modules, lowered for these features.
pub(super) struct Trial<'a> {
    pub(super) gpu: &'a Arc<Gpu>,
    pub(super) machine: &'a mut Machine,
    pub(super) features: Features,
}

impl Tried for Trial<'_> {
    type Error = TrialError;

    fn run(
        &mut self,
        module: &Valid,
        args: &[interp::Arg],
        count: u64,
    ) -> Result<Vec<Vec<u8>>, TrialError> {
        let lowered = spirv::lower(module, &self.features)?;
        let kernel = Kernel::new(self.gpu, module, &lowered.words, &Cache::OFF)?;
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
        self.machine.launch(&kernel, &block)?;
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

/// Whether the driver folds arithmetic with constants, or of a value with itself, as if infinities, NaN
/// and the sign of zeros did not matter.
pub(super) fn folds(trial: &mut Trial<'_>) -> Result<bool, TrialError> {
    let values = [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for elem in [Elem::F32, Elem::F64] {
        if elem == Elem::F64 && !trial.features.float64 {
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
        if trial.differs(&module, vec![interp::Arg::Slice(bytes.collect())], count)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the driver ends loops that run long and goes on behind them.
pub(super) fn cuts(trial: &mut Trial<'_>) -> Result<bool, TrialError> {
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
    trial.differs(&module, vec![], 2)
}

/// Whether the driver divides 64-bit integers wrongly. Of all that was tried, this showed it: the indices
/// before and after a remainder, both wanted (NVIDIA 580.159 takes `(x + 1) % n` for `x` then).
pub(super) fn misdivides(trial: &mut Trial<'_>) -> Result<bool, TrialError> {
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
        if trial.differs(&module, given, 64)? {
            return Ok(true);
        }
    }
    Ok(false)
}
