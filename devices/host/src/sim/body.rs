//! Statements and expressions to Cranelift instructions.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, Block, BlockArg, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind,
    Value as Ssa, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, Variable};
use hotsled_ir::{
    ArrayId, CmpOp, Elem, Expr, LocalId, Module, ParamId, ParamKind, Stmt, Type, Valid,
};

use super::group::{self, Shapes};

/// What a parameter became: two words of the argument block.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// Scalar value, or the address that element 0 would have.
    pub word: Ssa,
    /// Length of a slice.
    pub len: Ssa,
}

/// An open counted loop.
pub(super) struct Turns {
    counter: Variable,
    head: Block,
    /// Where `continue` leads.
    pub step: Block,
    /// Where `break` leads.
    pub done: Block,
}

/// Emits one module into a function.
pub(crate) struct Body<'a, 'f> {
    pub(super) builder: &'a mut FunctionBuilder<'f>,
    pub(super) module: &'a Module,
    pub(super) slots: Vec<Slot>,
    pub(super) locals: Vec<Variable>,
    arrays: Vec<StackSlot>,
    pub(super) base: Ssa,
    pub(super) end: Ssa,
    /// Where a failed check leads; outside of groups it returns 1.
    pub(super) fault: Block,
    /// Where `break` and `continue` of the loops around lead.
    pub(super) loops: Vec<(Block, Block)>,
    pub(super) convention: CallConv,
}

impl<'a, 'f> Body<'a, 'f> {
    /// Loads the argument block at `block` in the current (entry) block.
    pub(crate) fn new(
        builder: &'a mut FunctionBuilder<'f>,
        module: &'a Valid,
        block: Ssa,
        convention: CallConv,
    ) -> Self {
        let word = |b: &mut FunctionBuilder<'_>, n: usize| {
            b.ins()
                .load(types::I64, MemFlagsData::trusted(), block, 8 * n as i32)
        };
        let (base, end) = (word(builder, 0), word(builder, 1));
        let mut slots = Vec::new();
        for (n, param) in module.params.iter().enumerate() {
            let (raw, len) = (word(builder, 2 + 2 * n), word(builder, 3 + 2 * n));
            let word = match param.kind {
                ParamKind::Scalar(ty) => from_word(builder, raw, ty),
                _ => raw,
            };
            slots.push(Slot { word, len });
        }
        let locals = module
            .locals
            .iter()
            .map(|l| builder.declare_var(clif(l.ty)))
            .collect();
        let arrays = module.arrays.iter().map(|a| {
            let bytes = a.len * clif(a.ty).bytes();
            builder.create_sized_stack_slot(StackSlotData::new(
                StackSlotKind::ExplicitSlot,
                bytes,
                3,
            ))
        });
        let arrays = arrays.collect();
        let fault = builder.create_block();
        Self {
            builder,
            module,
            slots,
            locals,
            arrays,
            base,
            end,
            fault,
            loops: Vec::new(),
            convention,
        }
    }

    /// Emits prelude, loop and fault exit; afterwards the current block is the good end.
    pub(crate) fn emit(mut self) {
        let module = self.module;
        self.stmts(&module.prelude);
        let (index, base) = (self.local(module.index), self.base);
        self.builder.def_var(index, base);
        let (fault, done) = (self.fault, self.block());
        match Shapes::of(module) {
            Some(shapes) => self.by_groups(&shapes, done),
            None => {
                let limit = self.builder.declare_var(types::I64);
                self.builder.def_var(limit, self.end);
                self.one_by_one(limit, done);
            }
        }
        self.switch(fault);
        let one = self.builder.ins().iconst(types::I64, 1);
        self.builder.ins().return_(&[one]);
        self.switch(done);
    }

    /// Runs one index after the other up to `limit`, then goes on at `after`.
    pub(super) fn one_by_one(&mut self, limit: Variable, after: Block) {
        let index = self.local(self.module.index);
        let (head, body) = (self.block(), self.block());
        self.jump(head);
        self.switch(head);
        let (at, limit) = (self.builder.use_var(index), self.builder.use_var(limit));
        let ins = self.builder.ins();
        let more = ins.icmp(IntCC::UnsignedLessThan, at, limit);
        self.branch(more, body, after);
        self.switch(body);
        self.stmts(&self.module.body);
        self.step(index);
        self.jump(head);
    }

    /// Adds one to a variable.
    fn step(&mut self, variable: Variable) {
        let at = self.builder.use_var(variable);
        let next = self.builder.ins().iadd_imm_s(at, 1);
        self.builder.def_var(variable, next);
    }

    pub(super) fn block(&mut self) -> Block {
        self.builder.create_block()
    }

    pub(super) fn switch(&mut self, block: Block) {
        self.builder.switch_to_block(block);
    }

    pub(super) fn jump(&mut self, to: Block) {
        self.builder.ins().jump(to, &[]);
    }

    pub(super) fn branch(&mut self, condition: Ssa, yes: Block, no: Block) {
        self.builder.ins().brif(condition, yes, &[], no, &[]);
    }

    /// Leaves the current block for good; what follows in the source is unreachable.
    pub(super) fn leave(&mut self, to: Block) {
        self.jump(to);
        let unreachable = self.block();
        self.switch(unreachable);
    }

    pub(super) fn local(&self, id: LocalId) -> Variable {
        self.locals[usize::from(id.0)]
    }

    pub(super) fn stmts(&mut self, stmts: &[Stmt]) {
        stmts.iter().for_each(|s| self.stmt(s));
    }

    pub(super) fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Set(id, value) => {
                let value = self.expr(value);
                self.builder.def_var(self.locals[usize::from(id.0)], value);
            }
            Stmt::Store(param, value) => {
                let value = self.expr(value);
                let index = self.builder.use_var(self.local(self.module.index));
                let address = self.element(*param, index);
                self.store(self.elem(*param), value, address);
            }
            Stmt::If(condition, yes, no) => self.if_stmt(condition, yes, no),
            Stmt::For {
                var,
                start,
                end,
                body,
            } => self.counted(*var, start, end, body),
            Stmt::Loop(body) => {
                let (head, done) = (self.block(), self.block());
                self.jump(head);
                self.switch(head);
                self.in_loop(done, head, body);
                self.jump(head);
                self.switch(done);
            }
            Stmt::Break => self.leave(self.loops.last().expect("validated: inside a loop").0),
            Stmt::Continue => self.leave(self.loops.last().expect("validated: inside a loop").1),
            Stmt::Fault => self.leave(self.fault),
            Stmt::Fill(array, value) => self.fill(*array, value),
            Stmt::Accumulate(param, index, value) => self.accumulate(*param, index, value),
            Stmt::SetElement(array, index, value) => {
                let (index, value) = (self.expr(index), self.expr(value));
                let address = self.array_element(*array, index);
                let flags = MemFlagsData::trusted();
                self.builder.ins().store(flags, value, address, 0);
            }
        }
    }

    pub(super) fn in_loop(&mut self, to_break: Block, to_continue: Block, body: &[Stmt]) {
        self.loops.push((to_break, to_continue));
        self.stmts(body);
        self.loops.pop();
    }

    fn if_stmt(&mut self, condition: &Expr, yes: &[Stmt], no: &[Stmt]) {
        let condition = self.expr(condition);
        let (then, other, done) = (self.block(), self.block(), self.block());
        self.branch(condition, then, other);
        for (block, stmts) in [(then, yes), (other, no)] {
            self.switch(block);
            self.stmts(stmts);
            self.jump(done);
        }
        self.switch(done);
    }

    fn counted(&mut self, var: LocalId, start: &Expr, end: &Expr, body: &[Stmt]) {
        let (start, end) = (self.expr(start), self.expr(end));
        let turns = self.open(var, start, end);
        self.in_loop(turns.done, turns.step, body);
        self.close(&turns);
    }

    /// Begins a loop of `var` from `start` to `end`, inside of which the current block is then.
    ///
    /// The counter lives in a variable of its own, so that the last turn's value of `var` stays.
    pub(super) fn open(&mut self, var: LocalId, start: Ssa, end: Ssa) -> Turns {
        let ty = self.module.locals[usize::from(var.0)].ty;
        let counter = self.builder.declare_var(clif(ty));
        self.builder.def_var(counter, start);
        let (head, inside, step, done) = (self.block(), self.block(), self.block(), self.block());
        self.jump(head);
        self.switch(head);
        let at = self.builder.use_var(counter);
        let more = self.compare(CmpOp::Lt, ty, at, end);
        self.branch(more, inside, done);
        self.switch(inside);
        self.builder.def_var(self.local(var), at);
        Turns {
            counter,
            head,
            step,
            done,
        }
    }

    /// Ends the loop's body, and goes on after the loop.
    pub(super) fn close(&mut self, turns: &Turns) {
        self.jump(turns.step);
        self.switch(turns.step);
        self.step(turns.counter);
        self.jump(turns.head);
        self.switch(turns.done);
    }

    pub(super) fn elem(&self, param: ParamId) -> Elem {
        let kind = self.module.params[usize::from(param.0)].kind;
        kind.elem().expect("validated: only slices are indexed")
    }

    /// Address of an element; faults when the index is not below the length.
    pub(super) fn element(&mut self, param: ParamId, index: Ssa) -> Ssa {
        let slot = self.slots[usize::from(param.0)];
        let inside = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, index, slot.len);
        self.check(inside);
        self.address(param, index)
    }

    /// Address of an element, wherever that is.
    pub(super) fn address(&mut self, param: ParamId, index: Ssa) -> Ssa {
        let start = self.slots[usize::from(param.0)].word;
        self.offset(self.elem(param), start, index)
    }

    /// The address so many elements further.
    pub(super) fn offset(&mut self, elem: Elem, address: Ssa, elements: Ssa) -> Ssa {
        let shift = i64::from(elem.size().trailing_zeros());
        let bytes = self.builder.ins().ishl_imm_u(elements, shift);
        self.builder.ins().iadd(address, bytes)
    }

    /// One thread runs a launch, so that plain loads and stores will do.
    fn accumulate(&mut self, param: ParamId, index: &Expr, value: &Expr) {
        let ParamKind::Accumulator(elem, op) = self.module.params[usize::from(param.0)].kind else {
            unreachable!("validated: an accumulator")
        };
        let (index, value) = (self.expr(index), self.expr(value));
        let address = self.element(param, index);
        let old = self.load(elem, address);
        let new = self.integer_binary(op.binary(), elem.value_type(), old, value);
        self.store(elem, new, address);
    }

    /// Address of an element of a local array; faults when the index is not below its length.
    fn array_element(&mut self, id: ArrayId, index: Ssa) -> Ssa {
        let array = &self.module.arrays[usize::from(id.0)];
        let (size, len) = (clif(array.ty).bytes(), i64::from(array.len));
        let ins = self.builder.ins();
        let inside = ins.icmp_imm_u(IntCC::UnsignedLessThan, index, len);
        self.check(inside);
        let slot = self.arrays[usize::from(id.0)];
        let start = self.builder.ins().stack_addr(types::I64, slot, 0);
        let offset = self.builder.ins().imul_imm_s(index, i64::from(size));
        self.builder.ins().iadd(start, offset)
    }

    pub(super) fn load_element(&mut self, array: ArrayId, index: Ssa) -> Ssa {
        let address = self.array_element(array, index);
        let ty = clif(self.module.arrays[usize::from(array.0)].ty);
        let flags = MemFlagsData::trusted();
        self.builder.ins().load(ty, flags, address, 0)
    }

    fn fill(&mut self, id: ArrayId, value: &Expr) {
        let value = self.expr(value);
        let array = &self.module.arrays[usize::from(id.0)];
        let (size, slot) = (clif(array.ty).bytes(), self.arrays[usize::from(id.0)]);
        let start = self.builder.ins().stack_addr(types::I64, slot, 0);
        let last = i64::from(array.len * size);
        let end = self.builder.ins().iadd_imm_s(start, last);
        let (turn, done) = (self.block(), self.block());
        self.builder.append_block_param(turn, types::I64);
        self.builder.ins().jump(turn, &[BlockArg::Value(start)]);
        self.switch(turn);
        let at = self.builder.block_params(turn)[0];
        let flags = MemFlagsData::trusted();
        self.builder.ins().store(flags, value, at, 0);
        let next = self.builder.ins().iadd_imm_s(at, i64::from(size));
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.builder
            .ins()
            .brif(more, turn, &[BlockArg::Value(next)], done, &[]);
        self.switch(done);
    }

    /// Goes on if `condition` holds, faults otherwise.
    pub(super) fn check(&mut self, condition: Ssa) {
        let good = self.block();
        self.branch(condition, good, self.fault);
        self.switch(good);
    }

    pub(super) fn load(&mut self, elem: Elem, address: Ssa) -> Ssa {
        let flags = MemFlagsData::trusted();
        let ins = self.builder.ins();
        match elem {
            Elem::F32 => ins.load(types::F32, flags, address, 0),
            Elem::F64 => ins.load(types::F64, flags, address, 0),
            Elem::I32 | Elem::U32 => ins.load(types::I32, flags, address, 0),
            Elem::I64 | Elem::U64 => ins.load(types::I64, flags, address, 0),
            Elem::U8 => ins.uload8(types::I32, flags, address, 0),
            Elem::I8 => ins.sload8(types::I32, flags, address, 0),
            Elem::U16 => ins.uload16(types::I32, flags, address, 0),
            Elem::I16 => ins.sload16(types::I32, flags, address, 0),
        }
    }

    pub(super) fn store(&mut self, elem: Elem, value: Ssa, address: Ssa) {
        let flags = MemFlagsData::trusted();
        let ins = self.builder.ins();
        match elem {
            Elem::U8 | Elem::I8 => ins.istore8(flags, value, address, 0),
            Elem::U16 | Elem::I16 => ins.istore16(flags, value, address, 0),
            _ => ins.store(flags, value, address, 0),
        };
    }

    fn ty(&self, e: &Expr) -> Type {
        group::ty(self.module, e)
    }

    pub(super) fn expr(&mut self, e: &Expr) -> Ssa {
        match e {
            Expr::Const(value) => self.constant(*value),
            Expr::Local(id) => self.builder.use_var(self.locals[usize::from(id.0)]),
            Expr::Scalar(id) => self.slots[usize::from(id.0)].word,
            Expr::Len(id) => self.slots[usize::from(id.0)].len,
            Expr::Load(param, index) => {
                let index = self.expr(index);
                let address = self.element(*param, index);
                self.load(self.elem(*param), address)
            }
            Expr::LoadOwn(param) => {
                let index = self.builder.use_var(self.local(self.module.index));
                let address = self.element(*param, index);
                self.load(self.elem(*param), address)
            }
            Expr::Unary(op, a) => {
                let (ty, a) = (self.ty(a), self.expr(a));
                self.unary(*op, ty, a)
            }
            Expr::Binary(op, a, b) => {
                let ty = self.ty(a);
                let (a, b) = (self.expr(a), self.expr(b));
                self.binary(*op, ty, a, b)
            }
            Expr::Compare(op, a, b) => {
                let ty = self.ty(a);
                let (a, b) = (self.expr(a), self.expr(b));
                self.compare(*op, ty, a, b)
            }
            Expr::And(a, b) => {
                self.choice(a, types::I8, |this| this.expr(b), |this| this.flag(false))
            }
            Expr::Or(a, b) => {
                self.choice(a, types::I8, |this| this.flag(true), |this| this.expr(b))
            }
            Expr::If(condition, yes, no) => {
                let ty = clif(self.ty(yes));
                self.choice(condition, ty, |this| this.expr(yes), |this| this.expr(no))
            }
            Expr::Block(stmts, value) => {
                self.stmts(stmts);
                self.expr(value)
            }
            Expr::Cast(to, a) => {
                let (from, a) = (self.ty(a), self.expr(a));
                self.cast(from, *to, a)
            }
            Expr::Bits(to, a) => {
                let a = self.expr(a);
                let flags = MemFlagsData::new();
                self.builder.ins().bitcast(clif(*to), flags, a)
            }
            Expr::MulAdd(a, b, c) => {
                let ty = self.ty(a);
                let args = [self.expr(a), self.expr(b), self.expr(c)];
                self.mul_add(ty, args)
            }
            Expr::Element(array, index) => {
                let index = self.expr(index);
                self.load_element(*array, index)
            }
            Expr::Call(..) => unreachable!("validated: linked"),
        }
    }

    pub(super) fn flag(&mut self, value: bool) -> Ssa {
        self.builder.ins().iconst(types::I8, i64::from(value))
    }

    /// Evaluates one of two sides.
    fn choice(
        &mut self,
        condition: &Expr,
        ty: ir::Type,
        yes: impl FnOnce(&mut Self) -> Ssa,
        no: impl FnOnce(&mut Self) -> Ssa,
    ) -> Ssa {
        let condition = self.expr(condition);
        let (then, other, done) = self.fork(ty);
        self.branch(condition, then, other);
        self.switch(then);
        let value = yes(self);
        self.give(value, done);
        self.switch(other);
        let value = no(self);
        self.give(value, done);
        self.switch(done);
        self.builder.block_params(done)[0]
    }

    /// Two blocks, and one that takes a value from either.
    pub(super) fn fork(&mut self, ty: ir::Type) -> (Block, Block, Block) {
        let blocks = (self.block(), self.block(), self.block());
        self.builder.append_block_param(blocks.2, ty);
        blocks
    }

    pub(super) fn give(&mut self, value: Ssa, to: Block) {
        self.builder.ins().jump(to, &[BlockArg::Value(value)]);
    }
}

fn from_word(builder: &mut FunctionBuilder<'_>, word: Ssa, ty: Type) -> Ssa {
    let flags = MemFlagsData::new();
    match ty {
        Type::I64 | Type::U64 => word,
        Type::F64 => builder.ins().bitcast(types::F64, flags, word),
        Type::Bool => builder.ins().ireduce(types::I8, word),
        Type::I32 | Type::U32 => builder.ins().ireduce(types::I32, word),
        Type::F32 => {
            let narrow = builder.ins().ireduce(types::I32, word);
            builder.ins().bitcast(types::F32, flags, narrow)
        }
    }
}

pub(super) fn clif(ty: Type) -> ir::Type {
    match ty {
        Type::Bool => types::I8,
        Type::I32 | Type::U32 => types::I32,
        Type::I64 | Type::U64 => types::I64,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
    }
}
