//! Statements and expressions to Cranelift instructions.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    self, AbiParam, Block, BlockArg, InstBuilder, MemFlagsData, Signature, StackSlot,
    StackSlotData, StackSlotKind, Value as Ssa, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, Variable};
use hotsled_ir::{
    ArrayId, BinOp, CmpOp, Elem, Expr, LocalId, Module, ParamId, ParamKind, Stmt, Type, UnOp,
    Valid, Value,
};

/// What a parameter became: two words of the argument block.
#[derive(Clone, Copy)]
struct Slot {
    /// Scalar value, or the address that element 0 would have.
    word: Ssa,
    /// Length of a slice.
    len: Ssa,
}

/// Emits one module into a function.
pub(crate) struct Body<'a, 'f> {
    builder: &'a mut FunctionBuilder<'f>,
    module: &'a Module,
    slots: Vec<Slot>,
    locals: Vec<Variable>,
    arrays: Vec<StackSlot>,
    base: Ssa,
    end: Ssa,
    /// Returns 1.
    fault: Block,
    /// Where `break` and `continue` of the loops around lead.
    loops: Vec<(Block, Block)>,
    convention: CallConv,
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
        let index = self.local(module.index);
        let (head, body, done) = (self.block(), self.block(), self.block());
        let base = self.base;
        self.builder.def_var(index, base);
        self.jump(head);
        self.switch(head);
        let at = self.builder.use_var(index);
        let more = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, at, self.end);
        self.branch(more, body, done);
        self.switch(body);
        self.stmts(&module.body);
        let at = self.builder.use_var(index);
        let next = self.builder.ins().iadd_imm_s(at, 1);
        self.builder.def_var(index, next);
        self.jump(head);
        self.switch(self.fault);
        let one = self.builder.ins().iconst(types::I64, 1);
        self.builder.ins().return_(&[one]);
        self.switch(done);
    }

    fn block(&mut self) -> Block {
        self.builder.create_block()
    }

    fn switch(&mut self, block: Block) {
        self.builder.switch_to_block(block);
    }

    fn jump(&mut self, to: Block) {
        self.builder.ins().jump(to, &[]);
    }

    fn branch(&mut self, condition: Ssa, yes: Block, no: Block) {
        self.builder.ins().brif(condition, yes, &[], no, &[]);
    }

    /// Leaves the current block for good; what follows in the source is unreachable.
    fn leave(&mut self, to: Block) {
        self.jump(to);
        let unreachable = self.block();
        self.switch(unreachable);
    }

    fn local(&self, id: LocalId) -> Variable {
        self.locals[usize::from(id.0)]
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        stmts.iter().for_each(|s| self.stmt(s));
    }

    fn stmt(&mut self, stmt: &Stmt) {
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

    fn in_loop(&mut self, to_break: Block, to_continue: Block, body: &[Stmt]) {
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

    /// The counter lives in a variable of its own, so that the last turn's value of `var` stays.
    fn counted(&mut self, var: LocalId, start: &Expr, end: &Expr, body: &[Stmt]) {
        let ty = self.module.locals[usize::from(var.0)].ty;
        let (start, end) = (self.expr(start), self.expr(end));
        let counter = self.builder.declare_var(clif(ty));
        self.builder.def_var(counter, start);
        let (head, inside, step, done) = (self.block(), self.block(), self.block(), self.block());
        self.jump(head);
        self.switch(head);
        let at = self.builder.use_var(counter);
        let below = if ty.is_signed() {
            IntCC::SignedLessThan
        } else {
            IntCC::UnsignedLessThan
        };
        let more = self.builder.ins().icmp(below, at, end);
        self.branch(more, inside, done);
        self.switch(inside);
        self.builder.def_var(self.locals[usize::from(var.0)], at);
        self.in_loop(done, step, body);
        self.jump(step);
        self.switch(step);
        let at = self.builder.use_var(counter);
        let next = self.builder.ins().iadd_imm_s(at, 1);
        self.builder.def_var(counter, next);
        self.jump(head);
        self.switch(done);
    }

    fn elem(&self, param: ParamId) -> Elem {
        let kind = self.module.params[usize::from(param.0)].kind;
        kind.elem().expect("validated: only slices are indexed")
    }

    /// Address of an element; faults when the index is not below the length.
    fn element(&mut self, param: ParamId, index: Ssa) -> Ssa {
        let slot = self.slots[usize::from(param.0)];
        let size = self.elem(param).size();
        let inside = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, index, slot.len);
        self.check(inside);
        let offset = self
            .builder
            .ins()
            .ishl_imm_u(index, i64::from(size.trailing_zeros()));
        self.builder.ins().iadd(slot.word, offset)
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
    fn check(&mut self, condition: Ssa) {
        let good = self.block();
        self.branch(condition, good, self.fault);
        self.switch(good);
    }

    fn load(&mut self, elem: Elem, address: Ssa) -> Ssa {
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

    fn store(&mut self, elem: Elem, value: Ssa, address: Ssa) {
        let flags = MemFlagsData::trusted();
        let ins = self.builder.ins();
        match elem {
            Elem::U8 | Elem::I8 => ins.istore8(flags, value, address, 0),
            Elem::U16 | Elem::I16 => ins.istore16(flags, value, address, 0),
            _ => ins.store(flags, value, address, 0),
        };
    }

    fn ty(&self, e: &Expr) -> Type {
        match e {
            Expr::Const(value) => value.ty(),
            Expr::Local(id) => self.module.locals[usize::from(id.0)].ty,
            Expr::Scalar(id) => match self.module.params[usize::from(id.0)].kind {
                ParamKind::Scalar(ty) => ty,
                _ => unreachable!("validated: a scalar"),
            },
            Expr::Len(_) => Type::U64,
            Expr::Load(param, _) | Expr::LoadOwn(param) => self.elem(*param).value_type(),
            Expr::Unary(_, a) | Expr::Binary(_, a, _) | Expr::If(_, a, _) | Expr::Block(_, a) => {
                self.ty(a)
            }
            Expr::Compare(..) | Expr::And(..) | Expr::Or(..) => Type::Bool,
            Expr::Cast(ty, _) | Expr::Bits(ty, _) => *ty,
            Expr::MulAdd(a, _, _) => self.ty(a),
            Expr::Element(array, _) => self.module.arrays[usize::from(array.0)].ty,
            Expr::Call(..) => unreachable!("validated: linked"),
        }
    }

    fn expr(&mut self, e: &Expr) -> Ssa {
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
                let address = self.array_element(*array, index);
                let ty = clif(self.module.arrays[usize::from(array.0)].ty);
                let flags = MemFlagsData::trusted();
                self.builder.ins().load(ty, flags, address, 0)
            }
            Expr::Call(..) => unreachable!("validated: linked"),
        }
    }

    fn flag(&mut self, value: bool) -> Ssa {
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
        let (then, other, done) = (self.block(), self.block(), self.block());
        self.builder.append_block_param(done, ty);
        self.branch(condition, then, other);
        self.switch(then);
        let value = yes(self);
        self.builder.ins().jump(done, &[BlockArg::Value(value)]);
        self.switch(other);
        let value = no(self);
        self.builder.ins().jump(done, &[BlockArg::Value(value)]);
        self.switch(done);
        self.builder.block_params(done)[0]
    }

    fn constant(&mut self, value: Value) -> Ssa {
        let ins = self.builder.ins();
        match value {
            Value::F32(v) => ins.f32const(v),
            Value::F64(v) => ins.f64const(v),
            Value::Bool(v) => ins.iconst(types::I8, i64::from(v)),
            Value::I32(v) => ins.iconst(types::I32, i64::from(v as u32)),
            Value::U32(v) => ins.iconst(types::I32, i64::from(v)),
            Value::I64(v) => ins.iconst(types::I64, v),
            Value::U64(v) => ins.iconst(types::I64, v as i64),
        }
    }

    fn unary(&mut self, op: UnOp, ty: Type, a: Ssa) -> Ssa {
        let float = ty.is_float();
        let ins = self.builder.ins();
        match op {
            UnOp::Neg if float => ins.fneg(a),
            UnOp::Neg => ins.ineg(a),
            UnOp::Abs if float => ins.fabs(a),
            UnOp::Abs => ins.iabs(a),
            UnOp::Not if ty == Type::Bool => ins.bxor_imm_u(a, 1),
            UnOp::Not => ins.bnot(a),
            UnOp::Sqrt => ins.sqrt(a),
            UnOp::Floor => ins.floor(a),
            UnOp::Ceil => ins.ceil(a),
            UnOp::Trunc => ins.trunc(a),
            UnOp::Round => self.round(ty, a),
            UnOp::LeadingZeros => ins.clz(a),
            UnOp::CountOnes => ins.popcnt(a),
        }
    }

    /// `trunc`, one further from zero where at least a half was cut off.
    fn round(&mut self, ty: Type, a: Ssa) -> Ssa {
        let (half, one) = (self.number(ty, 0.5), self.number(ty, 1.0));
        let whole = self.builder.ins().trunc(a);
        let rest = self.builder.ins().fsub(a, whole);
        let rest = self.builder.ins().fabs(rest);
        let up = self
            .builder
            .ins()
            .fcmp(FloatCC::GreaterThanOrEqual, rest, half);
        let step = self.builder.ins().fcopysign(one, a);
        let further = self.builder.ins().fadd(whole, step);
        self.builder.ins().select(up, further, whole)
    }

    fn number(&mut self, ty: Type, value: f32) -> Ssa {
        let value = if ty == Type::F64 {
            Value::F64(f64::from(value))
        } else {
            Value::F32(value)
        };
        self.constant(value)
    }

    fn binary(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        if ty.is_float() {
            self.float_binary(op, ty, a, b)
        } else {
            self.integer_binary(op, ty, a, b)
        }
    }

    fn float_binary(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        match op {
            BinOp::Add => self.builder.ins().fadd(a, b),
            BinOp::Sub => self.builder.ins().fsub(a, b),
            BinOp::Mul => self.builder.ins().fmul(a, b),
            BinOp::Div => self.builder.ins().fdiv(a, b),
            BinOp::Min => self.extreme(FloatCC::LessThan, ty, a, b),
            BinOp::Max => self.extreme(FloatCC::GreaterThan, ty, a, b),
            BinOp::Hypot => self.hypot(ty, a, b),
            BinOp::Rem => self.remainder(ty, a, b),
            _ => unreachable!("validated: an operator of floats"),
        }
    }

    /// As `hotsled_ir::math` defines min and max: the better one; for equals the bits decide the zero's
    /// sign; the other one for NaN.
    fn extreme(&mut self, better: FloatCC, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let bits = if ty == Type::F64 {
            types::I64
        } else {
            types::I32
        };
        let flags = MemFlagsData::new();
        let x = self.builder.ins().bitcast(bits, flags, a);
        let y = self.builder.ins().bitcast(bits, flags, b);
        let joined = match better {
            FloatCC::LessThan => self.builder.ins().bor(x, y),
            _ => self.builder.ins().band(x, y),
        };
        let joined = self.builder.ins().bitcast(clif(ty), flags, joined);
        let equal = self.builder.ins().fcmp(FloatCC::Equal, a, b);
        let wins = self.builder.ins().fcmp(better, a, b);
        let a_is_nan = self.builder.ins().fcmp(FloatCC::Unordered, a, a);
        let b_is_nan = self.builder.ins().fcmp(FloatCC::Unordered, b, b);
        let ordered = self.builder.ins().select(wins, a, b);
        let equals = self.builder.ins().select(equal, joined, ordered);
        let without_b = self.builder.ins().select(b_is_nan, a, equals);
        self.builder.ins().select(a_is_nan, b, without_b)
    }

    fn hypot(&mut self, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let wide = |this: &mut Self, v| {
            if ty == Type::F32 {
                this.builder.ins().fpromote(types::F64, v)
            } else {
                v
            }
        };
        let (x, y) = (wide(self, a), wide(self, b));
        let xx = self.builder.ins().fmul(x, x);
        let yy = self.builder.ins().fmul(y, y);
        let sum = self.builder.ins().fadd(xx, yy);
        let root = self.builder.ins().sqrt(sum);
        let root = if ty == Type::F32 {
            self.builder.ins().fdemote(types::F32, root)
        } else {
            root
        };
        let infinity = self.number(ty, f32::INFINITY);
        let mut result = root;
        for side in [a, b] {
            let size = self.builder.ins().fabs(side);
            let infinite = self.builder.ins().fcmp(FloatCC::Equal, size, infinity);
            result = self.builder.ins().select(infinite, infinity, result);
        }
        result
    }

    fn remainder(&mut self, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let routine = if ty == Type::F64 {
            remainder_f64 as *const ()
        } else {
            remainder_f32 as *const ()
        };
        self.routine(routine, ty, &[a, b])
    }

    fn mul_add(&mut self, ty: Type, args: [Ssa; 3]) -> Ssa {
        let routine = if ty == Type::F64 {
            mul_add_f64 as *const ()
        } else {
            mul_add_f32 as *const ()
        };
        self.routine(routine, ty, &args)
    }

    /// Calls a routine of the device, whose address is part of the code; operands and result are of
    /// one type.
    fn routine(&mut self, routine: *const (), ty: Type, args: &[Ssa]) -> Ssa {
        let mut signature = Signature::new(self.convention);
        let value = AbiParam::new(clif(ty));
        signature.params.extend(args.iter().map(|_| value));
        signature.returns.push(value);
        let signature = self.builder.import_signature(signature);
        let address = self.builder.ins().iconst(types::I64, routine as i64);
        let call = self.builder.ins().call_indirect(signature, address, args);
        self.builder.inst_results(call)[0]
    }

    fn integer_binary(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let signed = ty.is_signed();
        if matches!(op, BinOp::Div | BinOp::Rem) {
            return self.divide(op, ty, a, b);
        }
        let ins = self.builder.ins();
        match op {
            BinOp::Add => ins.iadd(a, b),
            BinOp::Sub => ins.isub(a, b),
            BinOp::Mul => ins.imul(a, b),
            BinOp::And => ins.band(a, b),
            BinOp::Or => ins.bor(a, b),
            BinOp::Xor => ins.bxor(a, b),
            BinOp::Shl => ins.ishl(a, b), // Cranelift masks the count
            BinOp::Shr if signed => ins.sshr(a, b),
            BinOp::Shr => ins.ushr(a, b),
            BinOp::Min if signed => ins.smin(a, b),
            BinOp::Min => ins.umin(a, b),
            BinOp::Max if signed => ins.smax(a, b),
            BinOp::Max => ins.umax(a, b),
            _ => unreachable!("validated: an operator of integers"),
        }
    }

    /// Faults on a zero divisor, and on `MIN / -1`.
    fn divide(&mut self, op: BinOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        let nonzero = self.builder.ins().icmp_imm_s(IntCC::NotEqual, b, 0);
        self.check(nonzero);
        if !ty.is_signed() {
            let ins = self.builder.ins();
            return if op == BinOp::Div {
                ins.udiv(a, b)
            } else {
                ins.urem(a, b)
            };
        }
        let least = if ty == Type::I64 {
            i64::MIN
        } else {
            i64::from(i32::MIN)
        };
        let least = self.builder.ins().iconst(
            clif(ty),
            if ty == Type::I64 {
                least
            } else {
                least & 0xffff_ffff
            },
        );
        let a_is_least = self.builder.ins().icmp(IntCC::NotEqual, a, least);
        let b_is_minus_one = self.builder.ins().icmp_imm_s(IntCC::NotEqual, b, -1);
        let defined = self.builder.ins().bor(a_is_least, b_is_minus_one);
        self.check(defined);
        let ins = self.builder.ins();
        if op == BinOp::Div {
            ins.sdiv(a, b)
        } else {
            ins.srem(a, b)
        }
    }

    fn compare(&mut self, op: CmpOp, ty: Type, a: Ssa, b: Ssa) -> Ssa {
        if ty.is_float() {
            let cc = match op {
                CmpOp::Eq => FloatCC::Equal,
                CmpOp::Ne => FloatCC::NotEqual,
                CmpOp::Lt => FloatCC::LessThan,
                CmpOp::Le => FloatCC::LessThanOrEqual,
                CmpOp::Gt => FloatCC::GreaterThan,
                CmpOp::Ge => FloatCC::GreaterThanOrEqual,
            };
            return self.builder.ins().fcmp(cc, a, b);
        }
        let cc = match (op, ty.is_signed()) {
            (CmpOp::Eq, _) => IntCC::Equal,
            (CmpOp::Ne, _) => IntCC::NotEqual,
            (CmpOp::Lt, true) => IntCC::SignedLessThan,
            (CmpOp::Le, true) => IntCC::SignedLessThanOrEqual,
            (CmpOp::Gt, true) => IntCC::SignedGreaterThan,
            (CmpOp::Ge, true) => IntCC::SignedGreaterThanOrEqual,
            (CmpOp::Lt, false) => IntCC::UnsignedLessThan,
            (CmpOp::Le, false) => IntCC::UnsignedLessThanOrEqual,
            (CmpOp::Gt, false) => IntCC::UnsignedGreaterThan,
            (CmpOp::Ge, false) => IntCC::UnsignedGreaterThanOrEqual,
        };
        self.builder.ins().icmp(cc, a, b)
    }

    fn cast(&mut self, from: Type, to: Type, a: Ssa) -> Ssa {
        let (source, target) = (clif(from), clif(to));
        let ins = self.builder.ins();
        match (from.is_float(), to.is_float()) {
            _ if source == target => a,
            (true, true) if target == types::F64 => ins.fpromote(target, a),
            (true, true) => ins.fdemote(target, a),
            (true, false) if to.is_signed() => ins.fcvt_to_sint_sat(target, a),
            (true, false) => ins.fcvt_to_uint_sat(target, a),
            (false, true) if from.is_signed() => ins.fcvt_from_sint(target, a),
            (false, true) => ins.fcvt_from_uint(target, a),
            (false, false) if target.bits() < source.bits() => ins.ireduce(target, a),
            (false, false) if from.is_signed() => ins.sextend(target, a),
            (false, false) => ins.uextend(target, a),
        }
    }
}

extern "C" fn remainder_f32(a: f32, b: f32) -> f32 {
    a % b
}

extern "C" fn mul_add_f32(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

extern "C" fn mul_add_f64(a: f64, b: f64, c: f64) -> f64 {
    a.mul_add(b, c)
}

extern "C" fn remainder_f64(a: f64, b: f64) -> f64 {
    a % b
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

fn clif(ty: Type) -> ir::Type {
    match ty {
        Type::Bool => types::I8,
        Type::I32 | Type::U32 => types::I32,
        Type::I64 | Type::U64 => types::I64,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
    }
}
