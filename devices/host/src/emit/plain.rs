//! Float operations as a device itself computes them: what a self-test must verify.

use std::fmt;

use hotsled_ir::{BinOp, Type, UnOp};

/// One of them; integers and bits leave nothing open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plain {
    /// `+ - * /`.
    Binary(BinOp, Type),
    /// `sqrt`, `floor`, `ceil`.
    Unary(UnOp, Type),
    /// `a * b + c`, rounded once.
    MulAdd(Type),
    /// All comparisons of a type.
    Compare(Type),
    /// From a type to another, one of them a float.
    Convert(Type, Type),
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Binary(op, ty) => format!("{ty:?} {op:?}"),
            Self::Unary(op, ty) => format!("{ty:?} {op:?}"),
            Self::MulAdd(ty) => format!("{ty:?} mul_add"),
            Self::Compare(ty) => format!("{ty:?} comparison"),
            Self::Convert(from, to) => format!("{from:?} to {to:?}"),
        };
        f.write_str(&text.to_lowercase())
    }
}
