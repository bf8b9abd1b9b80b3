//! Which float operations a device computes exactly: each is tried when a section first needs it.

pub(crate) mod trial;

use std::collections::{HashMap, HashSet};

use hotsled_ir::{BinOp, CmpOp, Elem, Expr, Type, UnOp, Value, interp};

use crate::cannot::Cannot;
pub use crate::emit::Plain;
use crate::emit::is_float;
pub(crate) use trial::Tried;
use trial::{input, module};

/// Elements of one trial.
const COUNT: usize = 4096;
/// Operations of one trial.
const MOST: usize = 12;

/// What is known so far.
#[derive(Default)]
pub(crate) struct Exactness {
    /// For each operation tried, how it differed, if it did.
    known: HashMap<Plain, Option<String>>,
}

impl Exactness {
    /// Sees that all of `operations` are exact; tries those that are new.
    ///
    /// # Errors
    /// [`Cannot::Inexact`] names one that is not; or a trial that could not be made.
    pub(crate) fn demand<T: Tried>(
        &mut self,
        operations: &HashSet<Plain>,
        device: &mut T,
    ) -> Result<(), T::Error> {
        self.learn(operations, device)?;
        Ok(self.judge(operations)?)
    }

    /// Tries those that are new.
    fn learn<T: Tried>(
        &mut self,
        operations: &HashSet<Plain>,
        device: &mut T,
    ) -> Result<(), T::Error> {
        let mut new: Vec<Plain> = operations.iter().copied().collect();
        new.retain(|operation| !self.known.contains_key(operation));
        new.sort_by_key(|operation| (operand(*operation) as u8, operation.to_string()));
        for same in new.chunk_by(|a, b| operand(*a) == operand(*b)) {
            for some in same.chunks(MOST) {
                self.try_some(some, device)?;
            }
        }
        Ok(())
    }

    /// Which of these operations are known to be inexact.
    #[cfg(feature = "vulkan")] // PTX replaces nothing
    pub(crate) fn inexact(&self, operations: &HashSet<Plain>) -> Vec<Plain> {
        let differs = |operation: &Plain| matches!(self.known.get(operation), Some(Some(_)));
        operations.iter().copied().filter(differs).collect()
    }

    /// Tries every operation that a device may leave to chance, and tells how each differs, if it does.
    pub(crate) fn survey<T: Tried>(
        mut self,
        device: &mut T,
        float64: bool,
    ) -> Result<Vec<(Plain, Option<String>)>, T::Error> {
        let all = every(float64);
        self.learn(&all.iter().copied().collect(), device)?;
        let found = |operation: Plain| (operation, self.known.remove(&operation).flatten());
        Ok(all.into_iter().map(found).collect())
    }

    fn judge(&self, operations: &HashSet<Plain>) -> Result<(), Cannot> {
        let differs = |operation: &Plain| Some((*operation, self.known.get(operation)?.as_ref()?));
        match operations.iter().find_map(differs) {
            None => Ok(()),
            Some((operation, example)) => Err(Cannot::Inexact {
                operation: operation.to_string(),
                example: example.clone(),
            }),
        }
    }

    fn try_some<T: Tried>(&mut self, operations: &[Plain], device: &mut T) -> Result<(), T::Error> {
        let ty = operand(operations[0]);
        let outputs: Vec<_> = operations
            .iter()
            .map(|operation| expression(*operation))
            .collect();
        let (x, y) = operands(ty);
        let (x, y) = (interp::Arg::Slice(x), interp::Arg::Slice(y));
        let module = module(&[elem(ty), elem(ty)], &outputs);
        let found = device.compare(&module, vec![x, y], COUNT as u64)?;
        self.known.extend(operations.iter().copied().zip(found));
        Ok(())
    }
}

/// All operations on floats that lowering leaves to the device.
fn every(float64: bool) -> Vec<Plain> {
    let floats = if float64 {
        &[Type::F32, Type::F64][..]
    } else {
        &[Type::F32]
    };
    let integers = [Type::I32, Type::U32, Type::I64, Type::U64];
    let of = |ty: Type| {
        let binary =
            [BinOp::Add, BinOp::Sub, BinOp::Mul, BinOp::Div].map(|op| Plain::Binary(op, ty));
        let unary = [UnOp::Sqrt, UnOp::Floor, UnOp::Ceil].map(|op| Plain::Unary(op, ty));
        let to = integers.map(|int| Plain::Convert(ty, int));
        let from = integers.map(|int| Plain::Convert(int, ty));
        let same = binary
            .into_iter()
            .chain(unary)
            .chain([Plain::MulAdd(ty), Plain::Compare(ty)]);
        same.chain(to).chain(from)
    };
    let widths = [
        Plain::Convert(Type::F32, Type::F64),
        Plain::Convert(Type::F64, Type::F32),
    ];
    let between = if float64 { &widths[..] } else { &[] };
    floats
        .iter()
        .copied()
        .flat_map(of)
        .chain(between.iter().copied())
        .collect()
}

/// Type of an operation's operands.
fn operand(operation: Plain) -> Type {
    match operation {
        Plain::Binary(_, ty) | Plain::Unary(_, ty) | Plain::MulAdd(ty) | Plain::Compare(ty) => ty,
        Plain::Convert(from, _) => from,
    }
}

/// An element type that holds a value type.
fn elem(ty: Type) -> Elem {
    match ty {
        Type::F32 => Elem::F32,
        Type::F64 => Elem::F64,
        Type::I32 => Elem::I32,
        Type::I64 => Elem::I64,
        Type::U64 => Elem::U64,
        Type::U32 | Type::Bool => Elem::U32,
    }
}

/// The operation on both inputs, and the elements it gives.
fn expression(operation: Plain) -> (Elem, Expr) {
    let (x, y) = (|| Box::new(input(0)), || Box::new(input(1)));
    match operation {
        Plain::Binary(op, ty) => (elem(ty), Expr::Binary(op, x(), y())),
        Plain::Unary(op, ty) => (elem(ty), Expr::Unary(op, x())),
        // The third operand is the first: products and sums then meet in size as often as not.
        Plain::MulAdd(ty) => (elem(ty), Expr::MulAdd(x(), y(), x())),
        Plain::Convert(_, to) => (elem(to), Expr::Cast(to, x())),
        Plain::Compare(_) => {
            let all = [
                CmpOp::Eq,
                CmpOp::Ne,
                CmpOp::Lt,
                CmpOp::Le,
                CmpOp::Gt,
                CmpOp::Ge,
            ];
            let flag = |op| Expr::Cast(Type::U32, Box::new(Expr::Compare(op, x(), y())));
            let join = |bits, op| {
                let one = Box::new(Expr::Const(Value::U32(1)));
                let moved = Expr::Binary(BinOp::Shl, Box::new(bits), one);
                Expr::Binary(BinOp::Or, Box::new(moved), Box::new(flag(op)))
            };
            (
                Elem::U32,
                all.into_iter().fold(Expr::Const(Value::U32(0)), join),
            )
        }
    }
}

/// Operands: every pair of special values, then random bits, of floats every other pair close in size.
fn operands(ty: Type) -> (Vec<u8>, Vec<u8>) {
    let special = special(ty);
    let n = special.len();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ ty as u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for i in 0..COUNT {
        let (a, b) = match i {
            i if i < n * n => (special[i / n], special[i % n]),
            i if i % 2 == 0 => (random(), random()),
            _ => close(ty, random(), random()),
        };
        let size = elem(ty).size() as usize;
        x.extend(&a.to_le_bytes()[..size]);
        y.extend(&b.to_le_bytes()[..size]);
    }
    (x, y)
}

/// `b` with the exponent of `a`, but for its lowest two bits; integers as they are.
fn close(ty: Type, a: u64, b: u64) -> (u64, u64) {
    let exponent = match ty {
        Type::F64 => 0x7fc0_0000_0000_0000,
        _ => 0x7e00_0000,
    };
    if is_float(ty) {
        (a, b & !exponent | a & exponent)
    } else {
        (a, b >> (a % 64))
    }
}

fn special(ty: Type) -> Vec<u64> {
    let floats = [
        0.0,
        1.0,
        1.5,
        0.1,
        3.0,
        7.0,
        2147483648.0,
        1e30,
        f64::INFINITY,
        f64::NAN,
    ];
    let both = floats.into_iter().flat_map(|v| [v, -v]);
    match ty {
        Type::F32 => {
            let limits = [
                f32::MIN_POSITIVE,
                f32::MAX,
                f32::from_bits(1),
                f32::from_bits(0x7f_ffff),
            ];
            let all = both.map(|v| v as f32).chain(limits);
            all.map(|v| u64::from(v.to_bits())).collect()
        }
        Type::F64 => {
            let limits = [
                f64::MIN_POSITIVE,
                f64::MAX,
                5e-324,
                f64::from(f32::MIN_POSITIVE) / 2.0,
            ];
            both.chain(limits).map(f64::to_bits).collect()
        }
        _ => vec![
            0,
            1,
            2,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 24 | 1,
            1 << 53 | 1,
            1 << 63,
            u64::MAX,
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_inexact_operation_keeps_a_section_off() {
        let (add, div) = (
            Plain::Binary(BinOp::Add, Type::F32),
            Plain::Binary(BinOp::Div, Type::F32),
        );
        let known = HashMap::from([(add, None), (div, Some("3e0 instead of 4e0".to_owned()))]);
        let exactness = Exactness { known };
        assert_eq!(exactness.judge(&HashSet::from([add])), Ok(()));
        let refused = exactness.judge(&HashSet::from([add, div])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "this device cannot: f32 div exactly (3e0 instead of 4e0); --bounded accepts that"
        );
    }
}
