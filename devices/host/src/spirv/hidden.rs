//! Values that a driver must not know: one that folds arithmetic with constants as if infinities and signed zeros
//! did not matter is given constants mixed with zeros of which it knows nothing.

use hotsled_ir::{Type, Value};
use rspirv::spirv::{Op, Word};

use super::module::Spirv;
use crate::args;
use crate::emit::{bits_of, is_float};

impl Spirv {
    /// The topmost bit of a word that never reaches so far.
    pub(super) fn hidden_zeros(&mut self, word: usize) -> [Word; 2] {
        let (long, short) = (self.ty(Type::U64), self.ty(Type::U32));
        let top = self.b.constant_bit64(long, 63);
        let zero = self.op(Op::ShiftRightLogical, long, &[self.words[word], top]);
        [self.op(Op::UConvert, short, &[zero]), zero]
    }

    /// Instructions of the block that is open.
    pub(super) fn head_len(&self) -> usize {
        let function = self.b.selected_function().expect("a function is open");
        let block = self.b.selected_block().expect("a block is open");
        self.b.module_ref().functions[function].blocks[block]
            .instructions
            .len()
    }

    /// A float of which the driver may know the value, where it must not. By `or`, since a value may be hidden again
    /// when its bits were changed: two `xor` with the same zero would cancel, and a driver sees that.
    pub(super) fn hide(&mut self, ty: Type, value: Word) -> Word {
        if self.features.folds && is_float(ty) {
            self.mix(Op::BitwiseOr, ty, value, args::END)
        } else {
            value
        }
    }

    /// The same value, by a zero of its own that the driver does not know, so that it takes the two for different ones.
    pub(super) fn part(&mut self, ty: Type, value: Word) -> Word {
        self.mix(Op::BitwiseXor, ty, value, args::BASE)
    }

    /// The same value, by a zero that the driver does not know: no range reaches the topmost bit of base or end.
    fn mix(&mut self, op: Op, ty: Type, value: Word, word: usize) -> Word {
        let bits = bits_of(ty);
        let zero = self.zeros[word][usize::from(bits == Type::U64)];
        let plain = self.reinterpreted(ty, bits, value);
        let id = self.ty(bits);
        let mixed = self.op(op, id, &[plain, zero]);
        self.reinterpreted(bits, ty, mixed)
    }

    pub(super) fn reinterpreted(&mut self, from: Type, to: Type, a: Word) -> Word {
        let (from, to) = (self.ty(from), self.ty(to));
        if from == to {
            a
        } else {
            self.op(Op::Bitcast, to, &[a])
        }
    }

    /// A float constant: hidden where the function begins, once, since drivers may not move it out of loops.
    pub(super) fn float_constant(&mut self, value: Value, plain: Word) -> Word {
        if !self.features.folds {
            return plain;
        }
        let key = (value.ty(), value.bits());
        if let Some(known) = self.hidden.get(&key) {
            return *known;
        }
        let here = self.b.selected_block();
        self.b.select_block(Some(0)).expect("the first block");
        self.hoisting = true;
        let hidden = self.hide(value.ty(), plain);
        self.hoisting = false;
        self.b.select_block(here).expect("the block before");
        self.hidden.insert(key, hidden);
        hidden
    }
}
