//! Elements in memory.

use hotsled_ir::{AccOp, Elem, Type};
use rspirv::dr::{Instruction, Operand};
use rspirv::spirv::{MemoryAccess, Op, StorageClass, Word};

use super::module::Spirv;
use crate::cannot::Cannot;
use crate::emit::Result;

/// `Scope::Device`.
const DEVICE: u32 = 1;
/// Relaxed.
const RELAXED: u32 = 0;

impl Spirv {
    fn pointer(&mut self, ty: Word, address: Word) -> Word {
        let pointer = self
            .b
            .type_pointer(None, StorageClass::PhysicalStorageBuffer, ty);
        self.op(Op::ConvertUToPtr, pointer, &[address])
    }

    pub(super) fn load_from(&mut self, ty: Word, address: Word, align: u32) -> Word {
        let pointer = self.pointer(ty, address);
        let align = [Operand::LiteralBit32(align)];
        let loaded = self
            .b
            .load(ty, None, pointer, Some(MemoryAccess::ALIGNED), align);
        loaded.expect("a block is open")
    }

    fn store_to(&mut self, ty: Word, address: Word, value: Word, align: u32) {
        let pointer = self.pointer(ty, address);
        let align = [Operand::LiteralBit32(align)];
        let stored = self
            .b
            .store(pointer, value, Some(MemoryAccess::ALIGNED), align);
        stored.expect("a block is open");
    }

    pub(super) fn atomic_store(&mut self, address: Word, value: Word) {
        let short = self.ty(Type::U32);
        let pointer = self.pointer(short, address);
        let (scope, order) = (self.short(DEVICE), self.short(RELAXED));
        let operands = [pointer, scope, order, value].map(Operand::IdRef).to_vec();
        self.push(Instruction::new(Op::AtomicStore, None, None, operands));
    }

    /// Combines an element of an accumulator; its order with others is nobody's business.
    pub(super) fn atomic(&mut self, op: AccOp, elem: Elem, address: Word, value: Word) -> Result {
        if elem.size() == 8 {
            if !self.features.atomics64 {
                return Err(Cannot::Feature {
                    what: "accumulators of 64 bits".into(),
                    feature: "shaderBufferInt64Atomics",
                });
            }
            self.uses.atomics64 = true;
        }
        let signed = matches!(elem, Elem::I32 | Elem::I64);
        let op = match op {
            AccOp::Add => Op::AtomicIAdd,
            AccOp::Min if signed => Op::AtomicSMin,
            AccOp::Min => Op::AtomicUMin,
            AccOp::Max if signed => Op::AtomicSMax,
            AccOp::Max => Op::AtomicUMax,
            AccOp::And => Op::AtomicAnd,
            AccOp::Or => Op::AtomicOr,
            AccOp::Xor => Op::AtomicXor,
        };
        let ty = self.ty(elem.value_type());
        let pointer = self.pointer(ty, address);
        let (scope, order) = (self.short(DEVICE), self.short(RELAXED));
        self.op(op, ty, &[pointer, scope, order, value]);
        Ok(())
    }

    fn short(&mut self, value: u32) -> Word {
        let ty = self.ty(Type::U32);
        self.b.constant_bit32(ty, value)
    }

    /// Storage width of a narrow element, if the device has it; `None`: through words.
    fn narrow(&mut self, elem: Elem) -> Option<Word> {
        match elem {
            Elem::U8 | Elem::I8 if self.features.storage8 => {
                self.uses.storage8 = true;
                Some(self.b.type_int(8, 0))
            }
            Elem::U16 | Elem::I16 if self.features.storage16 => {
                self.uses.storage16 = true;
                Some(self.b.type_int(16, 0))
            }
            _ => None,
        }
    }

    #[allow(unreachable_patterns)] // the virtual ISA grows
    pub(super) fn load_element(&mut self, elem: Elem, address: Word, shared: bool) -> Result<Word> {
        match elem {
            Elem::U8 | Elem::I8 | Elem::U16 | Elem::I16 => {
                Ok(self.load_narrow(elem, address, shared))
            }
            Elem::F32 | Elem::I32 | Elem::U32 | Elem::F64 | Elem::I64 | Elem::U64 => {
                let ty = self.ty(elem.value_type());
                Ok(self.load_from(ty, address, elem.size() as u32))
            }
            other => Err(Cannot::construct(&other)),
        }
    }

    #[allow(unreachable_patterns)] // the virtual ISA grows
    pub(super) fn store_element(&mut self, elem: Elem, address: Word, value: Word) -> Result {
        match elem {
            Elem::U8 | Elem::I8 | Elem::U16 | Elem::I16 => self.store_narrow(elem, address, value),
            Elem::F32 | Elem::I32 | Elem::U32 | Elem::F64 | Elem::I64 | Elem::U64 => {
                let ty = self.ty(elem.value_type());
                self.store_to(ty, address, value, elem.size() as u32);
            }
            other => return Err(Cannot::construct(&other)),
        }
        Ok(())
    }

    fn load_narrow(&mut self, elem: Elem, address: Word, shared: bool) -> Word {
        let short = self.ty(Type::U32);
        let widen = if elem.value_type() == Type::I32 {
            Op::SConvert
        } else {
            Op::UConvert
        };
        if let Some(ty) = self.narrow(elem) {
            let value = self.load_from(ty, address, elem.size() as u32);
            return self.op(widen, short, &[value]);
        }
        let (word, shift) = self.word_around(address);
        let loaded = if shared {
            self.atomic_load(word)
        } else {
            self.load_from(short, word, 4)
        };
        let low = self.op(Op::ShiftRightLogical, short, &[loaded, shift]);
        let rest = self.short(32 - 8 * elem.size() as u32);
        let high = self.op(Op::ShiftLeftLogical, short, &[low, rest]);
        let down = if widen == Op::SConvert {
            Op::ShiftRightArithmetic
        } else {
            Op::ShiftRightLogical
        };
        self.op(down, short, &[high, rest])
    }

    /// Through words: the element's bits are cleared, then set, both atomically, so that invocations that
    /// store the other elements of the word lose nothing.
    fn store_narrow(&mut self, elem: Elem, address: Word, value: Word) {
        if let Some(ty) = self.narrow(elem) {
            let value = self.op(Op::UConvert, ty, &[value]);
            return self.store_to(ty, address, value, elem.size() as u32);
        }
        let short = self.ty(Type::U32);
        let (word, shift) = self.word_around(address);
        let mask = self.short(u32::MAX >> (32 - 8 * elem.size()));
        let value = self.op(Op::BitwiseAnd, short, &[value, mask]);
        let placed = self.op(Op::ShiftLeftLogical, short, &[value, shift]);
        let hole = self.op(Op::ShiftLeftLogical, short, &[mask, shift]);
        let keep = self.op(Op::Not, short, &[hole]);
        let pointer = self.pointer(short, word);
        let (scope, order) = (self.short(DEVICE), self.short(RELAXED));
        self.op(Op::AtomicAnd, short, &[pointer, scope, order, keep]);
        self.op(Op::AtomicOr, short, &[pointer, scope, order, placed]);
    }

    fn atomic_load(&mut self, address: Word) -> Word {
        let short = self.ty(Type::U32);
        let pointer = self.pointer(short, address);
        let (scope, order) = (self.short(DEVICE), self.short(RELAXED));
        self.op(Op::AtomicLoad, short, &[pointer, scope, order])
    }

    /// Address of the word that holds `address`, and the bit at which the byte there begins.
    fn word_around(&mut self, address: Word) -> (Word, Word) {
        let (long, short) = (self.ty(Type::U64), self.ty(Type::U32));
        let keep = self.b.constant_bit64(long, !3);
        let word = self.op(Op::BitwiseAnd, long, &[address, keep]);
        let low = self.op(Op::UConvert, short, &[address]);
        let (three, eight) = (self.short(3), self.short(8));
        let byte = self.op(Op::BitwiseAnd, short, &[low, three]);
        (word, self.op(Op::IMul, short, &[byte, eight]))
    }
}
