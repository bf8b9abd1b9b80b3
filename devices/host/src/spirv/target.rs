//! Constants, variables and plain operations.

use hotsled_ir::{AccOp, BinOp, CmpOp, Elem, Type, UnOp, Value};
use rspirv::dr::{Instruction, Operand};
use rspirv::spirv::{Decoration, GlslStd450Op, LoopControl, Op, StorageClass, Word};

use super::Plain;
use super::module::Spirv;
use crate::cannot::Cannot;
use crate::emit::{Replaced, Result, Target, is_float, is_signed};

impl Spirv {
    fn note(&mut self, operation: Plain, ty: Type) {
        if is_float(ty) {
            self.floats.insert(operation);
        }
    }

    /// Where an element of an array stands.
    fn place(&mut self, ty: Type, array: Word, at: Word) -> Word {
        let ty = self.ty(ty);
        let pointer = self.b.type_pointer(None, StorageClass::Function, ty);
        self.op(Op::AccessChain, pointer, &[array, at])
    }

    fn glsl(&mut self, op: GlslStd450Op, ty: Word, operands: &[Word]) -> Word {
        let operands: Vec<_> = operands.iter().map(|id| Operand::IdRef(*id)).collect();
        self.b
            .ext_inst(ty, None, self.glsl, op as Word, operands)
            .expect("a block is open")
    }

    /// Arithmetic of floats that the driver may not fuse, nor fold where it does so wrongly: it knows no operand
    /// as a constant, and of those of which that matters not whether they are the same.
    fn arithmetic(&mut self, op: Op, ty: Type, [a, b]: [Word; 2]) -> Word {
        let b = match op {
            Op::FSub | Op::FDiv if self.features.folds => self.part(ty, b),
            _ => b,
        };
        let ty = self.ty(ty);
        let id = self.op(op, ty, &[a, b]);
        self.b.decorate(id, Decoration::NoContraction, []);
        id
    }
}

impl Target for Spirv {
    type Value = Word;
    type Variable = Word;
    type Array = Word;

    fn constant(&mut self, value: Value) -> Result<Word> {
        let ty = self.ty(value.ty());
        let plain = match value {
            Value::Bool(true) => self.b.constant_true(ty),
            Value::Bool(false) => self.b.constant_false(ty),
            Value::I64(_) | Value::U64(_) | Value::F64(_) => {
                self.b.constant_bit64(ty, value.bits())
            }
            Value::I32(_) | Value::U32(_) | Value::F32(_) => {
                self.b.constant_bit32(ty, value.bits() as u32)
            }
        };
        Ok(if is_float(value.ty()) {
            self.float_constant(value, plain)
        } else {
            plain
        })
    }

    fn variable(&mut self, ty: Type) -> Result<Word> {
        let ty = self.ty(ty);
        Ok(match self.noted {
            Some(_) => self.declare_zero(ty),
            None => self.declare(ty),
        })
    }

    fn array(&mut self, ty: Type, len: u32) -> Result<Word> {
        let (ty, short) = (self.ty(ty), self.ty(Type::U32));
        let len = self.b.constant_bit32(short, len);
        let array = self.b.type_array(ty, len);
        Ok(self.declare(array))
    }

    fn get_element(&mut self, ty: Type, array: Word, at: Word) -> Word {
        let place = self.place(ty, array, at);
        self.get(ty, place)
    }

    fn set_element(&mut self, ty: Type, array: Word, at: Word, value: Word) {
        let place = self.place(ty, array, at);
        self.set(place, value);
    }

    fn get(&mut self, ty: Type, variable: Word) -> Word {
        let ty = self.ty(ty);
        self.op(Op::Load, ty, &[variable])
    }

    fn set(&mut self, variable: Word, value: Word) {
        let operands = vec![Operand::IdRef(variable), Operand::IdRef(value)];
        self.push(Instruction::new(Op::Store, None, None, operands));
    }

    fn word(&mut self, n: usize) -> Word {
        self.words[n]
    }

    fn invocation(&mut self) -> Word {
        self.invocation
    }

    fn load(&mut self, elem: Elem, address: Word, shared: bool) -> Result<Word> {
        self.load_element(elem, address, shared)
    }

    fn store(&mut self, elem: Elem, address: Word, value: Word) -> Result {
        self.store_element(elem, address, value)
    }

    fn combine(&mut self, op: AccOp, elem: Elem, address: Word, value: Word) -> Result {
        self.atomic(op, elem, address, value)
    }

    fn mul_add(&mut self, ty: Type, a: Word, b: Word, c: Word) -> Result<Word> {
        self.note(Plain::MulAdd(ty), ty);
        let id = self.ty(ty);
        Ok(self.glsl(GlslStd450Op::Fma, id, &[a, b, c]))
    }

    fn unary(&mut self, op: UnOp, ty: Type, a: Word) -> Result<Word> {
        self.note(Plain::Unary(op, ty), ty);
        let id = self.ty(ty);
        Ok(match op {
            UnOp::Not if ty == Type::Bool => self.op(Op::LogicalNot, id, &[a]),
            UnOp::Not => self.op(Op::Not, id, &[a]),
            UnOp::Sqrt => self.glsl(GlslStd450Op::Sqrt, id, &[a]),
            UnOp::Floor => self.glsl(GlslStd450Op::Floor, id, &[a]),
            UnOp::Ceil => self.glsl(GlslStd450Op::Ceil, id, &[a]),
            other => return Err(Cannot::construct(&other)),
        })
    }

    fn binary(&mut self, op: BinOp, ty: Type, a: Word, b: Word) -> Result<Word> {
        self.note(Plain::Binary(op, ty), ty);
        let id = self.ty(ty);
        let float = is_float(ty);
        let op = match op {
            BinOp::Add if float => return Ok(self.arithmetic(Op::FAdd, ty, [a, b])),
            BinOp::Sub if float => return Ok(self.arithmetic(Op::FSub, ty, [a, b])),
            BinOp::Mul if float => return Ok(self.arithmetic(Op::FMul, ty, [a, b])),
            BinOp::Div if float => return Ok(self.arithmetic(Op::FDiv, ty, [a, b])),
            BinOp::Add => Op::IAdd,
            BinOp::Sub => Op::ISub,
            BinOp::Mul => Op::IMul,
            BinOp::Div if is_signed(ty) => Op::SDiv,
            BinOp::Div => Op::UDiv,
            BinOp::Rem if !float && !is_signed(ty) => Op::UMod,
            BinOp::And if ty == Type::Bool => Op::LogicalAnd,
            BinOp::Or if ty == Type::Bool => Op::LogicalOr,
            BinOp::Xor if ty == Type::Bool => Op::LogicalNotEqual,
            BinOp::And => Op::BitwiseAnd,
            BinOp::Or => Op::BitwiseOr,
            BinOp::Xor => Op::BitwiseXor,
            BinOp::Shl => Op::ShiftLeftLogical,
            BinOp::Shr if is_signed(ty) => Op::ShiftRightArithmetic,
            BinOp::Shr => Op::ShiftRightLogical,
            other => return Err(Cannot::construct(&other)),
        };
        Ok(self.op(op, id, &[a, b]))
    }

    fn compare(&mut self, op: CmpOp, ty: Type, a: Word, b: Word) -> Result<Word> {
        self.note(Plain::Compare(ty), ty);
        let id = self.ty(Type::Bool);
        let of = |float, signed, unsigned| match ty {
            Type::F32 | Type::F64 => float,
            Type::I32 | Type::I64 => signed,
            _ => unsigned,
        };
        let op = match op {
            CmpOp::Eq if ty == Type::Bool => Op::LogicalEqual,
            CmpOp::Ne if ty == Type::Bool => Op::LogicalNotEqual,
            CmpOp::Eq => of(Op::FOrdEqual, Op::IEqual, Op::IEqual),
            CmpOp::Ne => of(Op::FUnordNotEqual, Op::INotEqual, Op::INotEqual),
            CmpOp::Lt => of(Op::FOrdLessThan, Op::SLessThan, Op::ULessThan),
            CmpOp::Le => of(
                Op::FOrdLessThanEqual,
                Op::SLessThanEqual,
                Op::ULessThanEqual,
            ),
            CmpOp::Gt => of(Op::FOrdGreaterThan, Op::SGreaterThan, Op::UGreaterThan),
            CmpOp::Ge => of(
                Op::FOrdGreaterThanEqual,
                Op::SGreaterThanEqual,
                Op::UGreaterThanEqual,
            ),
        };
        Ok(self.op(op, id, &[a, b]))
    }

    fn select(&mut self, ty: Type, condition: Word, yes: Word, no: Word) -> Word {
        let id = self.ty(ty);
        self.op(Op::Select, id, &[condition, yes, no])
    }

    fn convert(&mut self, from: Type, to: Type, a: Word) -> Result<Word> {
        self.note(
            Plain::Convert(from, to),
            if is_float(from) { from } else { to },
        );
        let id = self.ty(to);
        let op = match (is_float(from), is_float(to)) {
            (true, true) => Op::FConvert,
            (true, false) if is_signed(to) => Op::ConvertFToS,
            (true, false) => Op::ConvertFToU,
            (false, true) if is_signed(from) => Op::ConvertSToF,
            (false, true) => Op::ConvertUToF,
            (false, false) if self.ty(from) == id => return Ok(a),
            (false, false) if is_signed(from) => Op::SConvert,
            (false, false) => Op::UConvert,
        };
        let converted = self.op(op, id, &[a]);
        Ok(if is_float(from) {
            converted
        } else {
            self.hide(to, converted)
        })
    }

    fn reinterpret(&mut self, from: Type, to: Type, a: Word) -> Word {
        let same = self.reinterpreted(from, to, a);
        if is_float(from) || self.words.contains(&a) {
            same
        } else {
            self.hide(to, same)
        }
    }

    fn replaced(&self) -> Replaced {
        self.features.replaced
    }

    fn begin_if(&mut self, condition: Word) {
        self.open_if(condition);
    }

    fn begin_else(&mut self) {
        self.open_else();
    }

    fn end_if(&mut self) {
        self.close_if();
    }

    fn begin_loop(&mut self) {
        self.open_loop(true, LoopControl::NONE);
    }

    fn begin_rolled(&mut self) {
        self.open_loop(true, LoopControl::DONT_UNROLL);
    }

    fn begin_counted(&mut self) {
        self.open_loop(false, LoopControl::NONE);
    }

    fn cuts(&self) -> bool {
        self.features.cuts
    }

    fn afresh(&mut self, ty: Type, value: Word) -> Word {
        self.part(ty, value)
    }

    fn begin_step(&mut self) {
        self.open_step();
    }

    fn end_loop(&mut self) {
        self.close_loop();
    }

    fn leave_loop(&mut self) {
        self.break_loop();
    }

    fn next_turn(&mut self) {
        let (_, next, _) = self.innermost();
        self.jump(next);
    }

    fn left(&self) -> bool {
        self.b.selected_block().is_none()
    }

    fn fault(&mut self, _flag: Word) {
        let truth = self.ty(Type::Bool);
        let faulted = self.b.constant_true(truth);
        self.b.ret_value(faulted).expect("a block is open");
    }

    fn puts_off(&self) -> bool {
        self.noted.is_some()
    }

    fn note_fault(&mut self, broken: Word) {
        let (before, truth) = (self.noted(), self.ty(Type::Bool));
        let now = self.op(Op::LogicalOr, truth, &[before, broken]);
        self.set(self.noted.expect("faults are put off"), now);
    }

    fn noted(&mut self) -> Word {
        self.get(Type::Bool, self.noted.expect("faults are put off"))
    }
}
