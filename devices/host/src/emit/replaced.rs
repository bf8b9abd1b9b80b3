//! Steps of our own for what some machines do not compute exactly.

use hotsled_ir::{BinOp, CmpOp, Type, UnOp, Value};

use super::{Emit, Result, Target, Typed};

/// Operations that a machine is not asked for, since its results differ from the definition.
/// NVIDIA's GPUs, for one, take subnormal `f32` for zero in the first two and round the third less well, and
/// their driver 580.159 compiles remainders of 64 bits wrongly where the divisor is the same for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Replaced {
    /// Comparisons, by integer ones.
    pub compare: bool,
    /// To `f64`: subnormal numbers by integers.
    pub widen: bool,
    /// `sqrt`, by that of `f64`.
    pub sqrt: bool,
    /// Division of 64-bit integers, by that of 32 bits where both fit, else digit by digit.
    pub divide: bool,
}

impl Replaced {
    /// The machine is asked for everything.
    pub const NONE: Self = Self {
        compare: false,
        widen: false,
        sqrt: false,
        divide: false,
    };
}

/// Bits of the least normal `f32`.
const NORMAL: u32 = 0x80_0000;

impl<T: Target> Emit<'_, T> {
    /// Numbers compare as their [`Self::rank`]s do; NaN differs from everything.
    pub(super) fn compare_by_bits(
        &mut self,
        op: CmpOp,
        a: Typed<T>,
        b: Typed<T>,
    ) -> Result<Typed<T>> {
        let (x, y) = (self.rank(a)?, self.rank(b)?);
        let holds = self.compare(op, x, y)?;
        let (a_is_nan, b_is_nan) = (self.is_nan(a)?, self.is_nan(b)?);
        let unordered = self.binary(BinOp::Or, a_is_nan, b_is_nan)?;
        if op == CmpOp::Ne {
            return self.binary(BinOp::Or, holds, unordered);
        }
        let ordered = self.not(unordered)?;
        self.binary(BinOp::And, holds, ordered)
    }

    /// A signed integer that orders as the float does, the same for both zeros: the magnitude's bits,
    /// negative for negative floats.
    fn rank(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let size = self.magnitude(a)?;
        let size = self.reinterpret(Type::I32, size);
        let bits = self.reinterpret(Type::I32, a);
        let zero = self.constant(Value::I32(0))?;
        let negative = self.compare(CmpOp::Lt, bits, zero)?;
        let below = self.binary(BinOp::Sub, zero, size)?;
        Ok(self.select(negative, below, size))
    }

    /// Exponent and fraction move to their new places, and the exponent's bias grows, again for infinity and
    /// NaN; a subnormal number is its bits times 2^-149, which is exact in `f64`.
    pub(super) fn widen_by_bits(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let size = self.magnitude(a)?;
        let size = self.reinterpret(Type::U32, size);
        let small = self.widened_subnormal(size)?;
        let normal = self.widened_normal(size)?;
        let least = self.constant(Value::U32(NORMAL))?;
        let subnormal = self.compare(CmpOp::Lt, size, least)?;
        let size = self.select(subnormal, small, normal);
        let bits = self.reinterpret(Type::I32, a);
        let zero = self.constant(Value::I32(0))?;
        let negative = self.compare(CmpOp::Lt, bits, zero)?;
        let below = self.flip_sign(size)?;
        Ok(self.select(negative, below, size))
    }

    fn widened_subnormal(&mut self, size: Typed<T>) -> Result<Typed<T>> {
        let whole = self.convert(Type::F64, size)?;
        let unit = self.float(Type::F64, UNIT)?;
        self.binary(BinOp::Mul, whole, unit)
    }

    fn widened_normal(&mut self, size: Typed<T>) -> Result<Typed<T>> {
        let long = self.convert(Type::U64, size)?;
        let (places, bias) = (self.constant(Value::U32(52 - 23))?, self.u64(BIAS)?);
        let moved = self.binary(BinOp::Shl, long, places)?;
        let finite = self.binary(BinOp::Add, moved, bias)?;
        let special = self.binary(BinOp::Add, finite, bias)?;
        let infinity = self.constant(Value::U32(f32::INFINITY.to_bits()))?;
        let is_finite = self.compare(CmpOp::Lt, size, infinity)?;
        let bits = self.select(is_finite, finite, special);
        Ok(self.reinterpret(Type::F64, bits))
    }

    /// Quotient or remainder of `U64`; the divisor is not zero.
    pub(super) fn divide_wide(&mut self, op: BinOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let result = self.target.variable(Type::U64)?;
        let both = self.binary(BinOp::Or, a, b)?;
        let (half, zero) = (self.constant(Value::U32(32))?, self.u64(0)?);
        let high = self.binary(BinOp::Shr, both, half)?;
        let fit = self.compare(CmpOp::Eq, high, zero)?;
        self.target.begin_if(fit.v);
        let (x, y) = (self.convert(Type::U32, a)?, self.convert(Type::U32, b)?);
        let short = self.binary(op, x, y)?;
        let short = self.convert(Type::U64, short)?;
        self.target.set(result, short.v);
        self.target.begin_else();
        let long = self.divide_by_digits(op, a, b)?;
        self.target.set(result, long.v);
        self.target.end_if();
        Ok(self.get(Type::U64, result))
    }

    /// Restoring division, a binary digit a turn: `rest` takes the next digit of `a`, and gives up `b` where
    /// it holds it. Before a digit `rest` is below `b`, so that with the digit it may have a 65th bit.
    fn divide_by_digits(&mut self, op: BinOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let [rest, digits, turn] = [(); 3].map(|()| self.target.variable(Type::U64));
        let (rest, digits, turn) = (rest?, digits?, turn?);
        let (zero, one) = (self.u64(0)?, self.u64(1)?);
        let (place, top) = (
            self.constant(Value::U32(1))?,
            self.constant(Value::U32(63))?,
        );
        for (variable, value) in [(rest, zero), (digits, a), (turn, zero)] {
            self.target.set(variable, value.v);
        }
        self.target.begin_loop();
        let (count, all) = (self.get(Type::U64, turn), self.u64(64)?);
        self.leave_if(CmpOp::Eq, count, all)?;
        let (old, left) = (self.get(Type::U64, rest), self.get(Type::U64, digits));
        let carry = self.binary(BinOp::Shr, old, top)?;
        let digit = self.binary(BinOp::Shr, left, top)?;
        let moved = self.binary(BinOp::Shl, old, place)?;
        let next = self.binary(BinOp::Or, moved, digit)?;
        let enough = self.compare(CmpOp::Ge, next, b)?;
        let over = self.compare(CmpOp::Ne, carry, zero)?;
        let holds = self.binary(BinOp::Or, enough, over)?;
        let less = self.binary(BinOp::Sub, next, b)?;
        let kept = self.select(holds, less, next);
        self.target.set(rest, kept.v);
        let one_or_zero = self.select(holds, one, zero);
        let shifted = self.binary(BinOp::Shl, left, place)?;
        let quotient = self.binary(BinOp::Or, shifted, one_or_zero)?;
        self.target.set(digits, quotient.v);
        let more = self.binary(BinOp::Add, count, one)?;
        self.target.set(turn, more.v);
        self.target.begin_step();
        self.target.end_loop();
        Ok(self.get(Type::U64, if op == BinOp::Div { digits } else { rest }))
    }

    /// The root in `f64`, rounded once more: as exact as rounding once, since `f64` has more than twice the
    /// bits of `f32`, and two (Figueroa, When is double rounding innocuous?, 1995).
    pub(super) fn sqrt_by_f64(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let wide = self.convert(Type::F64, a)?;
        let root = self.unary(UnOp::Sqrt, wide)?;
        self.convert(Type::F32, root)
    }
}

/// What the exponent of `f64` is more than that of `f32`, in its place.
const BIAS: u64 = (1023 - 127) << 52;
/// 2^-149.
const UNIT: f64 = f64::from_bits((1023 - 149) << 52);
