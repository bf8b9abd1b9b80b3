//! Counts of bits, by plain operations: in pairs, fours and bytes at once, and the bytes added by a
//! multiplication.

use hotsled_ir::{BinOp, Value};

use super::{Emit, Result, Target, Typed, bits_of, number, width};

impl<T: Target> Emit<'_, T> {
    pub(super) fn count_ones(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let x = self.reinterpret(bits_of(a.ty), a);
        let [pairs, fours, bytes] = [0x5555, 0x3333, 0x0f0f];
        let odd = self.shifted(BinOp::Shr, x, 1)?;
        let odd = self.masked(odd, pairs)?;
        let x = self.binary(BinOp::Sub, x, odd)?;
        let high = self.shifted(BinOp::Shr, x, 2)?;
        let (low, high) = (self.masked(x, fours)?, self.masked(high, fours)?);
        let x = self.binary(BinOp::Add, low, high)?;
        let high = self.shifted(BinOp::Shr, x, 4)?;
        let sum = self.binary(BinOp::Add, x, high)?;
        let x = self.masked(sum, bytes)?;
        let ones = self.constant(number(x.ty, 0x0101_0101_0101_0101))?;
        let sums = self.binary(BinOp::Mul, x, ones)?;
        let count = self.shifted(BinOp::Shr, sums, width(a.ty) - 8)?;
        Ok(self.reinterpret(a.ty, count))
    }

    /// What is left of all bits when the highest one that is set has spread downwards.
    pub(super) fn leading_zeros(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let mut x = self.reinterpret(bits_of(a.ty), a);
        let mut by = 1;
        while by < width(a.ty) {
            let down = self.shifted(BinOp::Shr, x, by)?;
            x = self.binary(BinOp::Or, x, down)?;
            by *= 2;
        }
        let above = self.unary(hotsled_ir::UnOp::Not, x)?;
        let count = self.count_ones(above)?;
        Ok(self.reinterpret(a.ty, count))
    }

    fn shifted(&mut self, op: BinOp, a: Typed<T>, by: u32) -> Result<Typed<T>> {
        let by = self.constant(Value::U32(by))?;
        self.binary(op, a, by)
    }

    /// Both halves of every word by the same 16 bits.
    fn masked(&mut self, a: Typed<T>, mask: u64) -> Result<Typed<T>> {
        let mask = self.constant(number(a.ty, mask * 0x0001_0001_0001_0001))?;
        self.binary(BinOp::And, a, mask)
    }
}
