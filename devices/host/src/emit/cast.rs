//! Rust's `as`.

use hotsled_ir::{CmpOp, Type};

use super::{Emit, Result, Target, Typed, is_float, is_signed, number, width};

impl<T: Target> Emit<'_, T> {
    pub(super) fn cast(&mut self, to: Type, a: Typed<T>) -> Result<Typed<T>> {
        match (a.ty, to) {
            (from, to) if from == to => Ok(a),
            (Type::Bool, to) => {
                let (zero, one) = (self.constant(number(to, 0))?, self.constant(number(to, 1))?);
                Ok(self.select(a, one, zero))
            }
            (from, to) if is_float(from) && !is_float(to) => self.saturate(to, a),
            _ => self.convert(to, a),
        }
    }

    /// Float to integer: NaN gives 0, what is out of range the nearest end. The machine's conversion sees
    /// only numbers in range.
    fn saturate(&mut self, to: Type, a: Typed<T>) -> Result<Typed<T>> {
        let (least, most) = ends(to);
        let (low, high) = limits(to);
        let (low, high) = (self.float(a.ty, low)?, self.float(a.ty, high)?);
        let (below, above) = (
            self.compare(CmpOp::Lt, a, low)?,
            self.compare(CmpOp::Ge, a, high)?,
        );
        let nan = self.is_nan(a)?;
        let zero = self.float(a.ty, 0.0)?;
        let mut inside = a;
        for out in [below, above, nan] {
            inside = self.select(out, zero, inside);
        }
        let mut result = self.convert(to, inside)?;
        let (least, most) = (
            self.constant(number(to, least))?,
            self.constant(number(to, most))?,
        );
        result = self.select(below, least, result);
        Ok(self.select(above, most, result))
    }
}

/// Bits of the least and the greatest integer.
fn ends(ty: Type) -> (u64, u64) {
    let all = u64::MAX >> (64 - width(ty));
    if is_signed(ty) {
        (1 << (width(ty) - 1), all >> 1)
    } else {
        (0, all)
    }
}

/// Floats below the first and from the second on are out of range. Both are powers of two, or 0.
fn limits(ty: Type) -> (f64, f64) {
    let power = |n: u32| 2f64.powi(n as i32);
    if is_signed(ty) {
        (-power(width(ty) - 1), power(width(ty) - 1))
    } else {
        (0.0, power(width(ty)))
    }
}
