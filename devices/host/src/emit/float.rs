//! What the virtual ISA defines for floats and machines do not, by bits and plain operations.

use hotsled_ir::{BinOp, CmpOp, Type, UnOp, Value};

use super::{Emit, Result, Target, Typed, bits_of, number, width};

/// Bits of the significand without the leading one.
fn significand(ty: Type) -> u32 {
    if ty == Type::F64 { 52 } else { 23 }
}

fn sign_bit(ty: Type) -> u64 {
    1 << (width(ty) - 1)
}

fn infinity_bits(ty: Type) -> u64 {
    if ty == Type::F64 {
        f64::INFINITY.to_bits()
    } else {
        u64::from(f32::INFINITY.to_bits())
    }
}

impl<T: Target> Emit<'_, T> {
    pub(super) fn float(&mut self, ty: Type, value: f64) -> Result<Typed<T>> {
        self.constant(if ty == Type::F64 {
            Value::F64(value)
        } else {
            Value::F32(value as f32)
        })
    }

    pub(super) fn bits(&mut self, a: Typed<T>) -> Typed<T> {
        self.reinterpret(bits_of(a.ty), a)
    }

    /// `a`'s bits combined with a constant.
    fn with_bits(&mut self, op: BinOp, a: Typed<T>, other: u64) -> Result<Typed<T>> {
        let bits = self.bits(a);
        let other = self.constant(number(bits.ty, other))?;
        self.binary(op, bits, other)
    }

    pub(super) fn flip_sign(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let flipped = self.with_bits(BinOp::Xor, a, sign_bit(a.ty))?;
        Ok(self.reinterpret(a.ty, flipped))
    }

    pub(super) fn magnitude(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let cleared = self.magnitude_bits(a)?;
        Ok(self.reinterpret(a.ty, cleared))
    }

    fn magnitude_bits(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        self.with_bits(BinOp::And, a, sign_bit(a.ty) - 1)
    }

    /// By bits, since a compiler that expects no NaN folds `a != a`.
    pub(super) fn is_nan(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let size = self.magnitude_bits(a)?;
        let infinity = self.constant(number(size.ty, infinity_bits(a.ty)))?;
        self.compare(CmpOp::Gt, size, infinity)
    }

    /// Toward zero: the magnitude down, with the sign of `a`. (Mesa's own `Trunc` of 64 bits loses the sign
    /// of zeros and leaves numbers above 2^24 as they are.)
    pub(super) fn trunc(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let size = self.magnitude(a)?;
        let whole = self.unary(UnOp::Floor, size)?;
        self.with_sign_of(a, whole)
    }

    /// A positive `size`, negative where `a` is.
    fn with_sign_of(&mut self, a: Typed<T>, size: Typed<T>) -> Result<Typed<T>> {
        let sign = self.with_bits(BinOp::And, a, sign_bit(a.ty))?;
        let bits = self.bits(size);
        let signed = self.binary(BinOp::Or, bits, sign)?;
        Ok(self.reinterpret(a.ty, signed))
    }

    /// To nearest, halves away from zero: the magnitude down, and 1 more where at least a half was cut off.
    pub(super) fn round(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let size = self.magnitude(a)?;
        let whole = self.unary(UnOp::Floor, size)?;
        let rest = self.binary(BinOp::Sub, size, whole)?;
        let (half, one) = (self.float(a.ty, 0.5)?, self.float(a.ty, 1.0)?);
        let up = self.compare(CmpOp::Ge, rest, half)?;
        let further = self.binary(BinOp::Add, whole, one)?;
        let rounded = self.select(up, further, whole);
        self.with_sign_of(a, rounded)
    }

    /// The other operand if one is NaN, else by [`Self::order`].
    pub(super) fn float_extreme(
        &mut self,
        op: BinOp,
        a: Typed<T>,
        b: Typed<T>,
    ) -> Result<Typed<T>> {
        let better = if op == BinOp::Min {
            CmpOp::Lt
        } else {
            CmpOp::Gt
        };
        let (x, y) = (self.order(a)?, self.order(b)?);
        let wins = self.compare(better, x, y)?;
        let ordered = self.select(wins, a, b);
        let (a_is_nan, b_is_nan) = (self.is_nan(a)?, self.is_nan(b)?);
        let without_b = self.select(b_is_nan, a, ordered);
        Ok(self.select(a_is_nan, b, without_b))
    }

    /// A signed integer that orders as the float does, `-0` below `+0`: negative ones have all bits but
    /// the sign flipped.
    fn order(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let ty = if a.ty == Type::F64 {
            Type::I64
        } else {
            Type::I32
        };
        let bits = self.reinterpret(ty, a);
        let zero = self.constant(number(ty, 0))?;
        let negative = self.compare(CmpOp::Lt, bits, zero)?;
        let mask = self.constant(number(ty, sign_bit(ty) - 1))?;
        let flipped = self.binary(BinOp::Xor, bits, mask)?;
        Ok(self.select(negative, flipped, bits))
    }

    /// Infinity if either is infinite, else `sqrt(a*a + b*b)`, of `f32` in `f64` and rounded once.
    pub(super) fn hypot(&mut self, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let (x, y) = (self.convert(Type::F64, a)?, self.convert(Type::F64, b)?);
        let (xx, yy) = (
            self.binary(BinOp::Mul, x, x)?,
            self.binary(BinOp::Mul, y, y)?,
        );
        let sum = self.binary(BinOp::Add, xx, yy)?;
        let root = self.unary(UnOp::Sqrt, sum)?;
        let mut result = self.convert(a.ty, root)?;
        let infinity = self.float(a.ty, f64::INFINITY)?;
        for side in [a, b] {
            let size = self.magnitude_bits(side)?;
            let bits = self.constant(number(size.ty, infinity_bits(a.ty)))?;
            let infinite = self.compare(CmpOp::Eq, size, bits)?;
            result = self.select(infinite, infinity, result);
        }
        Ok(result)
    }

    /// `a - b * trunc(a / b)` without rounding, with the sign of `a`.
    pub(super) fn remainder(&mut self, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let (x, y) = (self.wide_magnitude(a)?, self.wide_magnitude(b)?);
        let infinity = self.u64(infinity_bits(a.ty))?;
        let zero = self.u64(0)?;
        let undefined = [
            self.compare(CmpOp::Ge, x, infinity)?,
            self.compare(CmpOp::Gt, y, infinity)?,
            self.compare(CmpOp::Eq, y, zero)?,
        ];
        let mut nan = undefined[0];
        for other in &undefined[1..] {
            nan = self.binary(BinOp::Or, nan, *other)?;
        }
        let smaller = self.compare(CmpOp::Lt, x, y)?;
        let at_once = self.binary(BinOp::Or, nan, smaller)?;
        let not_a_number = self.float(a.ty, f64::NAN)?;
        let result = self.target.variable(a.ty)?;
        self.target.begin_if(at_once.v);
        let simple = self.select(nan, not_a_number, a);
        self.target.set(result, simple.v);
        self.target.begin_else();
        let size = self.divide_long(a.ty, x, y)?;
        let bits = self.convert(bits_of(a.ty), size)?;
        let size = self.reinterpret(a.ty, bits);
        let value = self.with_sign_of(a, size)?;
        self.target.set(result, value.v);
        self.target.end_if();
        Ok(self.get(a.ty, result))
    }

    fn wide_magnitude(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let bits = self.magnitude_bits(a)?;
        self.convert(Type::U64, bits)
    }

    /// Remainder of two finite magnitudes, `x >= y > 0`, as bits: integer significands, divided in steps
    /// that fit 64 bits until the exponents meet, then normalised.
    fn divide_long(&mut self, ty: Type, x: Typed<T>, y: Typed<T>) -> Result<Typed<T>> {
        let ((mx, ex), (my, ey)) = (self.split(ty, x)?, self.split(ty, y)?);
        let (rest, left) = (
            self.target.variable(Type::U64)?,
            self.target.variable(Type::U64)?,
        );
        let first = self.binary(BinOp::Rem, mx, my)?;
        self.target.set(rest, first.v);
        let apart = self.binary(BinOp::Sub, ex, ey)?;
        self.target.set(left, apart.v);
        self.target.begin_rolled();
        let (zero, most) = (self.u64(0)?, self.u64(u64::from(63 - significand(ty)))?);
        let togo = self.get(Type::U64, left);
        self.leave_if(CmpOp::Eq, togo, zero)?;
        let step = self.extreme_u64(togo, most)?;
        let r = self.get(Type::U64, rest);
        let count = self.convert(Type::U32, step)?;
        let shifted = self.binary(BinOp::Shl, r, count)?;
        let r = self.binary(BinOp::Rem, shifted, my)?;
        self.target.set(rest, r.v);
        let togo = self.binary(BinOp::Sub, togo, step)?;
        self.target.set(left, togo.v);
        self.target.begin_step();
        self.target.end_loop();
        self.normalise(ty, rest, ey)
    }

    fn extreme_u64(&mut self, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let less = self.compare(CmpOp::Lt, a, b)?;
        Ok(self.select(less, a, b))
    }

    /// Significand and exponent; of subnormals the exponent is 1.
    fn split(&mut self, ty: Type, size: Typed<T>) -> Result<(Typed<T>, Typed<T>)> {
        let digits = significand(ty);
        let (mask, one) = (self.u64((1 << digits) - 1)?, self.u64(1)?);
        let (leading, shift) = (self.u64(1 << digits)?, self.constant(Value::U32(digits))?);
        let fraction = self.binary(BinOp::And, size, mask)?;
        let exponent = self.binary(BinOp::Shr, size, shift)?;
        let subnormal = self.compare(CmpOp::Lt, exponent, one)?;
        let whole = self.binary(BinOp::Or, fraction, leading)?;
        Ok((
            self.select(subnormal, fraction, whole),
            self.select(subnormal, one, exponent),
        ))
    }

    /// Bits of `rest * 2^(exponent - bias)`.
    fn normalise(&mut self, ty: Type, rest: T::Variable, exponent: Typed<T>) -> Result<Typed<T>> {
        let (one, leading) = (self.u64(1)?, self.u64(1 << significand(ty))?);
        let by_one = self.constant(Value::U32(1))?;
        let power = self.target.variable(Type::U64)?;
        self.target.set(power, exponent.v);
        self.target.begin_rolled();
        let (r, e) = (self.get(Type::U64, rest), self.get(Type::U64, power));
        self.leave_if(CmpOp::Ge, r, leading)?;
        self.leave_if(CmpOp::Le, e, one)?;
        let (r, e) = (
            self.binary(BinOp::Shl, r, by_one)?,
            self.binary(BinOp::Sub, e, one)?,
        );
        self.target.set(rest, r.v);
        self.target.set(power, e.v);
        self.target.begin_step();
        self.target.end_loop();
        let (r, e) = (self.get(Type::U64, rest), self.get(Type::U64, power));
        let above = self.binary(BinOp::Sub, e, one)?;
        let digits = self.constant(Value::U32(significand(ty)))?;
        let above = self.binary(BinOp::Shl, above, digits)?;
        self.binary(BinOp::Add, above, r)
    }

    pub(super) fn leave_if(&mut self, op: CmpOp, a: Typed<T>, b: Typed<T>) -> Result {
        let leave = self.compare(op, a, b)?;
        self.target.begin_if(leave.v);
        self.target.leave_loop();
        self.target.end_if();
        Ok(())
    }
}
