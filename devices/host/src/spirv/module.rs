//! The module that is built: its inputs, its function, and `main`, which calls it.

use std::collections::{HashMap, HashSet};

use hotsled_ir::{Module as Section, Type};
use rspirv::dr::{Builder, InsertPoint, Instruction, Module, Operand};
use rspirv::spirv::{
    AddressingModel, BuiltIn, Capability, Decoration, ExecutionMode, ExecutionModel,
    FunctionControl, MemoryModel, Op, StorageClass, Word,
};

use super::control::Frame;
use super::{Controls, Features, GROUP, Plain, buffered};
use crate::args::{self, Layout};
use crate::cannot::Cannot;
use crate::emit::Target as _;

/// A module that is being built: a function that says whether it faulted, which `main` calls. So one store in
/// `main` serves all faults; a device that runs both sides of every decision would make each of them. A block is
/// open unless [`Target::left`].
pub(super) struct Spirv {
    pub(super) b: Builder,
    pub(super) features: Features,
    pub(super) frames: Vec<Frame>,
    /// Words of the argument block, loaded first of all.
    pub(super) words: Vec<Word>,
    /// Variables; they must stand at the start of the function.
    pub(super) variables: Vec<Instruction>,
    /// Whether the argument block's words are in memory.
    pub(super) buffered: bool,
    pub(super) invocation: Word,
    /// Variables that note how loops were left, for each depth.
    pub(super) marks: Vec<Word>,
    /// Zeros that the driver does not know: from base and end, of 32 and 64 bits each.
    pub(super) zeros: [[Word; 2]; 2],
    /// Float constants that the driver does not know.
    pub(super) hidden: HashMap<(Type, u64), Word>,
    /// Instructions of the first block behind which more are put that shall run once.
    pub(super) head: usize,
    pub(super) hoisting: bool,
    /// Notes faults that are put off, if they are.
    pub(super) noted: Option<Word>,
    /// Global variables that every module has.
    pub(super) globals: [Word; 2],
    pub(super) glsl: Word,
    pub(super) main: Word,
    pub(super) body: Word,
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
    pub(super) fn declare_zero(&mut self, ty: Word) -> Word {
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
