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
    /// `a * b + c` of `f32` rounded once, by `f64`.
    pub mul_add: bool,
    /// Division of 64-bit integers, by that of 32 bits where both fit, else digit by digit.
    pub divide: bool,
}

impl Replaced {
    /// The machine is asked for everything.
    pub const NONE: Self = Self {
        compare: false,
        widen: false,
        sqrt: false,
        mul_add: false,
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
    /// it holds it. After so many turns it has no more digits than those of `a` it took, and so none is lost.
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
        self.target.begin_rolled();
        let (count, all) = (self.get(Type::U64, turn), self.u64(64)?);
        self.leave_if(CmpOp::Eq, count, all)?;
        let (old, left) = (self.get(Type::U64, rest), self.get(Type::U64, digits));
        let digit = self.binary(BinOp::Shr, left, top)?;
        let moved = self.binary(BinOp::Shl, old, place)?;
        let next = self.binary(BinOp::Or, moved, digit)?;
        let holds = self.compare(CmpOp::Ge, next, b)?;
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

    /// `a * b + c`, rounded once.
    pub(super) fn mul_add(&mut self, a: Typed<T>, b: Typed<T>, c: Typed<T>) -> Result<Typed<T>> {
        if a.ty == Type::F32 && self.target.replaced().mul_add {
            return self.mul_add_by_f64(a, b, c);
        }
        Ok(Typed {
            ty: a.ty,
            v: self.target.mul_add(a.ty, a.v, b.v, c.v)?,
        })
    }

    /// The product is exact in `f64`. The sum is rounded to odd there: where it is not exact and its last bit is
    /// even, it moves a unit towards what was cut off, so that rounding it once more to `f32` is as good as
    /// rounding the exact sum (Boldo, Melquiond: Emulation of FMA and correctly rounded sums, 2008).
    fn mul_add_by_f64(&mut self, a: Typed<T>, b: Typed<T>, c: Typed<T>) -> Result<Typed<T>> {
        let [a, b, c] = [
            self.convert(Type::F64, a),
            self.convert(Type::F64, b),
            self.convert(Type::F64, c),
        ];
        let (c, product) = (c?, self.binary(BinOp::Mul, a?, b?)?);
        let sum = self.binary(BinOp::Add, product, c)?;
        let rest = self.rest_of_sum(product, c, sum)?;
        let odd = self.rounded_to_odd(sum, rest)?;
        self.convert(Type::F32, odd)
    }

    /// `x + y - sum`, exactly (Knuth's two-sum).
    fn rest_of_sum(&mut self, x: Typed<T>, y: Typed<T>, sum: Typed<T>) -> Result<Typed<T>> {
        let y_part = self.binary(BinOp::Sub, sum, x)?;
        let x_part = self.binary(BinOp::Sub, sum, y_part)?;
        let (x_rest, y_rest) = (
            self.binary(BinOp::Sub, x, x_part)?,
            self.binary(BinOp::Sub, y, y_part)?,
        );
        self.binary(BinOp::Add, x_rest, y_rest)
    }

    /// A sum of which `rest` was cut off, rounded to odd instead of to nearest. Of infinities and NaN the rest
    /// is NaN, and they stay.
    fn rounded_to_odd(&mut self, sum: Typed<T>, rest: Typed<T>) -> Result<Typed<T>> {
        let (bits, one, zero) = (self.bits(sum), self.u64(1)?, self.u64(0)?);
        let last = self.binary(BinOp::And, bits, one)?;
        let even = self.compare(CmpOp::Eq, last, zero)?;
        let nothing = self.float(Type::F64, 0.0)?;
        let (more, less) = (
            self.compare(CmpOp::Gt, rest, nothing)?,
            self.compare(CmpOp::Lt, rest, nothing)?,
        );
        let inexact = self.binary(BinOp::Or, more, less)?;
        let moves = self.binary(BinOp::And, even, inexact)?;
        // Both neighbours of an even number are odd; away from zero where the rest has the sum's sign.
        let positive = self.compare(CmpOp::Gt, sum, nothing)?;
        let outwards = self.compare(CmpOp::Eq, positive, more)?;
        let (up, down) = (
            self.binary(BinOp::Add, bits, one)?,
            self.binary(BinOp::Sub, bits, one)?,
        );
        let moved = self.select(outwards, up, down);
        let bits = self.select(moves, moved, bits);
        Ok(self.reinterpret(Type::F64, bits))
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
