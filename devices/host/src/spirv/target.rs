//! Types, constants and plain operations.

use std::collections::{HashMap, HashSet};

use hotsled_ir::{AccOp, BinOp, CmpOp, Elem, Module as Section, Type, UnOp, Value};
use rspirv::dr::{Builder, InsertPoint, Instruction, Module, Operand};
use rspirv::spirv::{
    AddressingModel, BuiltIn, Capability, Decoration, ExecutionMode, ExecutionModel,
    FunctionControl, GlslStd450Op, LoopControl, MemoryModel, Op, StorageClass, Word,
};

use super::control::Frame;
use super::{Controls, Features, GROUP, Plain, buffered};
use crate::args::{self, Layout};
use crate::cannot::Cannot;
use crate::emit::{Replaced, Result, Target, bits_of, is_float, is_signed};

/// A module that is being built: a function that says whether it faulted, which `main` calls. So one store in
/// `main` serves all faults; a device that runs both sides of every decision would make each of them. A block is
/// open unless [`Target::left`].
pub(super) struct Spirv {
    pub(super) b: Builder,
    pub(super) features: Features,
    pub(super) frames: Vec<Frame>,
    /// Words of the argument block, loaded first of all.
    words: Vec<Word>,
    /// Variables; they must stand at the start of the function.
    variables: Vec<Instruction>,
    /// Whether the argument block's words are in memory.
    buffered: bool,
    invocation: Word,
    /// Variables that note how loops were left, for each depth.
    pub(super) marks: Vec<Word>,
    /// Zeros that the driver does not know: from base and end, of 32 and 64 bits each.
    zeros: [[Word; 2]; 2],
    /// Float constants that the driver does not know.
    hidden: HashMap<(Type, u64), Word>,
    /// Instructions of the first block behind which more are put that shall run once.
    head: usize,
    hoisting: bool,
    /// Notes faults that are put off, if they are.
    noted: Option<Word>,
    /// Global variables that every module has.
    globals: [Word; 2],
    glsl: Word,
    main: Word,
    body: Word,
    pub(super) uses: Uses,
    /// Float operations emitted.
    pub(super) floats: HashSet<Plain>,
}

/// What has been used, and must be declared.
#[derive(Default)]
pub(super) struct Uses {
    pub float64: bool,
    pub storage8: bool,
    pub storage16: bool,
    pub atomics64: bool,
}

impl Spirv {
    /// An open function that has loaded its arguments.
    pub(super) fn new(section: &Section, features: &Features) -> Self {
        let layout = &Layout::of(section);
        let mut b = Builder::new();
        b.set_version(1, 5);
        for capability in [
            Capability::Shader,
            Capability::Int64,
            Capability::PhysicalStorageBufferAddresses,
        ] {
            b.capability(capability);
        }
        let glsl = b.ext_inst_import("GLSL.std.450");
        b.memory_model(
            AddressingModel::PhysicalStorageBuffer64,
            MemoryModel::GLSL450,
        );
        let (words, id) = inputs(&mut b, if buffered(layout) { 1 } else { layout.words() });
        let truth = b.type_bool();
        let body = b.id();
        open_function(&mut b, truth, body);
        let main = b.id();
        b.execution_mode(main, ExecutionMode::LocalSize, [GROUP, 1, 1]);
        let mut this = Self {
            b,
            features: *features,
            frames: Vec::new(),
            words: Vec::new(),
            variables: Vec::new(),
            buffered: buffered(layout),
            invocation: 0,
            marks: Vec::new(),
            zeros: [[0; 2]; 2],
            hidden: HashMap::new(),
            head: 0,
            hoisting: false,
            noted: None,
            globals: [words, id],
            glsl,
            main,
            body,
            uses: Uses::default(),
            floats: HashSet::new(),
        };
        this.words = (0..layout.words()).map(|n| this.argument(n)).collect();
        this.load_invocation(id);
        this.zeros = [args::BASE, args::END].map(|word| this.hidden_zeros(word));
        this.head = this.head_len();
        // An element that is not filled may be anything, twice: arrays are not read behind a fault.
        if section.arrays.is_empty() {
            let truth = this.ty(Type::Bool);
            this.noted = Some(this.declare_zero(truth));
        }
        this
    }

    fn load_invocation(&mut self, id: Word) {
        let (long, short) = (self.ty(Type::U64), self.ty(Type::U32));
        let three = self.b.type_vector(short, 3);
        let number = self.op(Op::Load, three, &[id]);
        let x = self.b.composite_extract(short, None, number, [0]);
        let x = x.expect("a block is open");
        self.invocation = self.op(Op::UConvert, long, &[x]);
    }

    /// The topmost bit of a word that never reaches so far.
    fn hidden_zeros(&mut self, word: usize) -> [Word; 2] {
        let (long, short) = (self.ty(Type::U64), self.ty(Type::U32));
        let top = self.b.constant_bit64(long, 63);
        let zero = self.op(Op::ShiftRightLogical, long, &[self.words[word], top]);
        [self.op(Op::UConvert, short, &[zero]), zero]
    }

    /// Instructions of the block that is open.
    fn head_len(&self) -> usize {
        let function = self.b.selected_function().expect("a function is open");
        let block = self.b.selected_block().expect("a block is open");
        self.b.module_ref().functions[function].blocks[block]
            .instructions
            .len()
    }

    /// A word of the argument block.
    fn argument(&mut self, n: usize) -> Word {
        if !self.buffered {
            return self.pushed(n);
        }
        let block = self.pushed(0);
        let long = self.ty(Type::U64);
        let offset = self.b.constant_bit64(long, 8 * n as u64);
        let at = self.op(Op::IAdd, long, &[block, offset]);
        self.load_from(long, at, 8)
    }

    /// A word of the push constants.
    fn pushed(&mut self, n: usize) -> Word {
        let (long, short) = (self.ty(Type::U64), self.ty(Type::U32));
        let pointer = self.b.type_pointer(None, StorageClass::PushConstant, long);
        let first = self.b.constant_bit32(short, 0);
        let n = self.b.constant_bit32(short, n as u32);
        let at = self.op(Op::AccessChain, pointer, &[self.globals[0], first, n]);
        self.op(Op::Load, long, &[at])
    }

    fn note(&mut self, operation: Plain, ty: Type) {
        if is_float(ty) {
            self.floats.insert(operation);
        }
    }

    /// Any operation with a result.
    pub(super) fn op(&mut self, op: Op, ty: Word, operands: &[Word]) -> Word {
        let id = self.b.id();
        let operands = operands.iter().map(|id| Operand::IdRef(*id)).collect();
        self.push(Instruction::new(op, Some(ty), Some(id), operands));
        id
    }

    pub(super) fn push(&mut self, instruction: Instruction) {
        let mut place = InsertPoint::End;
        if self.hoisting {
            place = InsertPoint::FromBegin(self.head);
            self.head += 1;
        }
        self.b
            .insert_into_block(place, instruction)
            .expect("a block is open");
    }

    /// A variable of the function.
    pub(super) fn declare(&mut self, ty: Word) -> Word {
        let pointer = self.b.type_pointer(None, StorageClass::Function, ty);
        self.variable_of(pointer, None)
    }

    /// A variable that holds zero.
    fn declare_zero(&mut self, ty: Word) -> Word {
        let pointer = self.b.type_pointer(None, StorageClass::Function, ty);
        let zero = self.b.constant_null(ty);
        self.variable_of(pointer, Some(zero))
    }

    fn variable_of(&mut self, pointer: Word, initial: Option<Word>) -> Word {
        let id = self.b.id();
        let mut operands = vec![Operand::StorageClass(StorageClass::Function)];
        operands.extend(initial.map(Operand::IdRef));
        let variable = Instruction::new(Op::Variable, Some(pointer), Some(id), operands);
        self.variables.push(variable);
        id
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
            Op::FSub | Op::FDiv if self.features.folds => self.mix(ty, b, args::BASE),
            _ => b,
        };
        let ty = self.ty(ty);
        let id = self.op(op, ty, &[a, b]);
        self.b.decorate(id, Decoration::NoContraction, []);
        id
    }

    /// A float of which the driver may know the value, where it must not.
    fn hide(&mut self, ty: Type, value: Word) -> Word {
        if self.features.folds && is_float(ty) {
            self.mix(ty, value, args::END)
        } else {
            value
        }
    }

    /// The same value, by a zero that the driver does not know: no range reaches the topmost bit of base or end.
    fn mix(&mut self, ty: Type, value: Word, word: usize) -> Word {
        let bits = bits_of(ty);
        let zero = self.zeros[word][usize::from(bits == Type::U64)];
        let plain = self.reinterpreted(ty, bits, value);
        let id = self.ty(bits);
        let mixed = self.op(Op::BitwiseXor, id, &[plain, zero]);
        self.reinterpreted(bits, ty, mixed)
    }

    fn reinterpreted(&mut self, from: Type, to: Type, a: Word) -> Word {
        let (from, to) = (self.ty(from), self.ty(to));
        if from == to {
            a
        } else {
            self.op(Op::Bitcast, to, &[a])
        }
    }

    /// A float constant: hidden where the function begins, once, since drivers may not move it out of loops.
    fn float_constant(&mut self, value: Value, plain: Word) -> Word {
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

    pub(super) fn ty(&mut self, ty: Type) -> Word {
        match ty {
            Type::Bool => self.b.type_bool(),
            Type::I32 | Type::U32 => self.b.type_int(32, 0),
            Type::I64 | Type::U64 => self.b.type_int(64, 0),
            Type::F32 => self.b.type_float(32, None),
            Type::F64 => {
                self.uses.float64 = true;
                self.b.type_float(64, None)
            }
        }
    }

    /// Ends the function, writes `main` and declares what was used.
    pub(super) fn finish(mut self) -> std::result::Result<Module, Cannot> {
        self.return_faulted();
        self.b.end_function().expect("a function is open");
        self.write_main();
        let (main, globals) = (self.main, self.globals);
        self.b
            .entry_point(ExecutionModel::GLCompute, main, "main", globals);
        if self.uses.float64 {
            if !self.features.float64 {
                return Err(Cannot::Feature {
                    what: "f64".into(),
                    feature: "shaderFloat64",
                });
            }
            self.b.capability(Capability::Float64);
            self.controls(64, self.features.controls64);
        }
        self.controls(32, self.features.controls32);
        for (used, capability) in [
            (self.uses.storage8, Capability::StorageBuffer8BitAccess),
            (self.uses.storage16, Capability::StorageBuffer16BitAccess),
            (self.uses.atomics64, Capability::Int64Atomics),
        ] {
            if used {
                self.b.capability(capability);
            }
        }
        let mut module = self.b.module();
        module.functions[0].blocks[0]
            .instructions
            .splice(0..0, self.variables);
        Ok(module)
    }

    /// Ends the invocation; whether a fault was noted.
    fn return_faulted(&mut self) {
        let truth = self.ty(Type::Bool);
        let faulted = match self.noted {
            Some(noted) => self.get(Type::Bool, noted),
            None => self.b.constant_false(truth),
        };
        self.b.ret_value(faulted).expect("a block is open");
    }

    fn write_main(&mut self) {
        let (void, truth) = (self.b.type_void(), self.ty(Type::Bool));
        open_function(&mut self.b, void, self.main);
        let faulted = self.b.function_call(truth, None, self.body, []);
        self.open_if(faulted.expect("a block is open"));
        let flag = self.argument(args::FAULT);
        self.raise(flag);
        self.close_if();
        self.b.ret().expect("a block is open");
        self.b.end_function().expect("a function is open");
    }

    fn controls(&mut self, width: u32, controls: Controls) {
        use Capability as C;
        use ExecutionMode as M;
        for (offered, capability, mode) in [
            (controls.denormals, C::DenormPreserve, M::DenormPreserve),
            (
                controls.specials,
                C::SignedZeroInfNanPreserve,
                M::SignedZeroInfNanPreserve,
            ),
            (controls.nearest, C::RoundingModeRTE, M::RoundingModeRTE),
        ] {
            if offered {
                self.b.capability(capability);
                self.b.execution_mode(self.main, mode, [width]);
            }
        }
    }
}

/// Begins a function without parameters.
fn open_function(b: &mut Builder, result: Word, id: Word) {
    let signature = b.type_function(result, []);
    b.begin_function(result, Some(id), FunctionControl::NONE, signature)
        .expect("no function is open");
    b.begin_block(None).expect("a function is open");
}

/// The push constants, an array of so many words, and the invocation's number.
fn inputs(b: &mut Builder, words: usize) -> (Word, Word) {
    let (long, short) = (b.type_int(64, 0), b.type_int(32, 0));
    let count = b.constant_bit32(short, words as u32);
    let array = b.type_array(long, count);
    b.decorate(array, Decoration::ArrayStride, [Operand::LiteralBit32(8)]);
    let block = b.type_struct([array]);
    b.decorate(block, Decoration::Block, []);
    b.member_decorate(block, 0, Decoration::Offset, [Operand::LiteralBit32(0)]);
    let pointer = b.type_pointer(None, StorageClass::PushConstant, block);
    let words = b.variable(pointer, None, StorageClass::PushConstant, None);
    let three = b.type_vector(short, 3);
    let pointer = b.type_pointer(None, StorageClass::Input, three);
    let id = b.variable(pointer, None, StorageClass::Input, None);
    let builtin = Operand::BuiltIn(BuiltIn::GlobalInvocationId);
    b.decorate(id, Decoration::BuiltIn, [builtin]);
    (words, id)
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
        self.mix(ty, value, args::BASE)
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
