//! Operations on vectors of floats that take several steps.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Value as Ssa, types};
use hotsled_ir::Type;

use super::Group;

/// Bytes of two vectors: the first halves of both, and the second half of the first one twice.
const FIRST_HALVES: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const SECOND_HALF: [u8; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

impl Group<'_, '_, '_, '_> {
    /// As for single values: `trunc`, one further from zero where at least a half was cut off.
    pub(super) fn round(&mut self, ty: Type, a: Ssa) -> Ssa {
        let half = self.body.number(ty, 0.5);
        let (half, one) = (self.splat(ty, half), self.body.number(ty, 1.0));
        let (one, zero) = (self.splat(ty, one), self.body.number(ty, -0.0));
        let sign_bit = self.splat(ty, zero);
        let whole = self.body.builder.ins().trunc(a);
        let rest = self.body.builder.ins().fsub(a, whole);
        let rest = self.body.builder.ins().fabs(rest);
        let ins = self.body.builder.ins();
        let up = ins.fcmp(FloatCC::GreaterThanOrEqual, rest, half);
        let sign = self.body.builder.ins().band(a, sign_bit);
        let step = self.body.builder.ins().bor(one, sign);
        let further = self.body.builder.ins().fadd(whole, step);
        self.blend(ty, up, further, whole)
    }

    /// As for single values.
    pub(super) fn extreme(&mut self, better: FloatCC, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let joined = match better {
            FloatCC::LessThan => self.body.builder.ins().bor(a, b),
            _ => self.body.builder.ins().band(a, b),
        };
        let equal = self.body.builder.ins().fcmp(FloatCC::Equal, a, b);
        let wins = self.body.builder.ins().fcmp(better, a, b);
        let a_is_nan = self.body.builder.ins().fcmp(FloatCC::Unordered, a, a);
        let b_is_nan = self.body.builder.ins().fcmp(FloatCC::Unordered, b, b);
        let ordered = self.blend(ty, wins, a, b);
        let equals = self.blend(ty, equal, joined, ordered);
        let without_b = self.blend(ty, b_is_nan, a, equals);
        self.blend(ty, a_is_nan, b, without_b)
    }

    /// As for single values: of `f32` in `f64`, two by two.
    pub(super) fn hypot(&mut self, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let length = match ty {
            Type::F64 => self.length(a, b),
            _ => {
                let (c, d) = (self.second_half(a), self.second_half(b));
                let [first, second] = [(a, b), (c, d)].map(|(a, b)| {
                    let a = self.body.builder.ins().fvpromote_low(a);
                    let b = self.body.builder.ins().fvpromote_low(b);
                    let length = self.length(a, b);
                    self.body.builder.ins().fvdemote(length)
                });
                self.shuffle(ty, first, second, FIRST_HALVES)
            }
        };
        let infinity = self.body.number(ty, f32::INFINITY);
        let infinity = self.splat(ty, infinity);
        [a, b].into_iter().fold(length, |length, side| {
            let size = self.body.builder.ins().fabs(side);
            let ins = self.body.builder.ins();
            let infinite = ins.fcmp(FloatCC::Equal, size, infinity);
            self.blend(ty, infinite, infinity, length)
        })
    }

    fn length(&mut self, a: Ssa, b: Ssa) -> Ssa {
        let aa = self.body.builder.ins().fmul(a, a);
        let bb = self.body.builder.ins().fmul(b, b);
        let sum = self.body.builder.ins().fadd(aa, bb);
        self.body.builder.ins().sqrt(sum)
    }

    fn second_half(&mut self, a: Ssa) -> Ssa {
        self.shuffle(Type::F32, a, a, SECOND_HALF)
    }

    fn shuffle(&mut self, ty: Type, a: Ssa, b: Ssa, bytes: [u8; 16]) -> Ssa {
        let (a, b) = (
            self.cast_bits(types::I8X16, a),
            self.cast_bits(types::I8X16, b),
        );
        let immediates = &mut self.body.builder.func.dfg.immediates;
        let mask = immediates.push(bytes.as_slice().into());
        let shuffled = self.body.builder.ins().shuffle(a, b, mask);
        let whole = self.vector_type(ty);
        self.cast_bits(whole, shuffled)
    }
}
