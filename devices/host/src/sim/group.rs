//! A body over groups of neighbouring indices, in vector registers.
//!
//! A *run* is a stretch of indices over which every value of shape [`Shape::Uniform`] keeps, and every one of
//! shape [`Shape::Linear`] counts on. The body is emitted three times:
//!
//! 1. The plan, at a run's first index: everything but what varies. It makes the checks, works out for how many
//!    indices they and all decisions hold, and remembers the values.
//! 2. The group, over and over within the run: only what varies is computed, nothing is checked twice.
//! 3. The single index, for what is left: where a check of the plan fails, a run is shorter than a group, or one
//!    of a group would fault. Faults and edges are met by this code alone; a group stores at its end.
//!
//! Operations are those of single values, lane by lane, so that the bits are the same.

use std::collections::HashMap;
use std::ptr;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, Value as Ssa, types};
use cranelift_frontend::Variable;
use hotsled_ir::walk::{self, Visit};
use hotsled_ir::{BinOp, CmpOp, Expr, LocalId, ParamId, Stmt, Type, Value};

use super::body::{Body, clif};
use super::shape::{Shape, Shapes};

/// A value by its shape.
#[derive(Clone, Copy)]
pub(super) enum Wide {
    /// The one of all.
    Uniform(Ssa),
    /// That of the first; the others follow by ones.
    Linear(Ssa),
    /// All in a vector, of `bool` a mask; none in the plan, which has no use for it.
    Varying(Option<Ssa>),
}

use Wide::{Linear, Uniform, Varying};

impl Wide {
    /// The one of all, or that of the first.
    pub(super) fn single(self) -> Ssa {
        match self {
            Uniform(value) | Linear(value) => value,
            Varying(_) => unreachable!("its shape is not known"),
        }
    }

    pub(super) fn shape(self) -> Shape {
        match self {
            Uniform(_) => Shape::Uniform,
            Linear(_) => Shape::Linear,
            Varying(_) => Shape::Varying,
        }
    }

    /// Another single value of the same shape.
    fn with(self, value: Ssa) -> Self {
        match self {
            Linear(_) => Linear(value),
            _ => Uniform(value),
        }
    }
}

/// Indices that run one by one after a check of the plan failed.
const SINGLES: i64 = 8;

/// What is being emitted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Checks, and for how many indices they hold.
    Plan,
    /// What varies.
    Group,
}

impl Body<'_, '_> {
    /// Runs all indices, by groups where that is possible, then goes on at `done`.
    pub(super) fn by_groups(&mut self, shapes: &Shapes<'_>, done: ir::Block) {
        let lanes = i64::from(shapes.width().lanes());
        let index = self.local(self.module.index);
        let [count, start, limit] = [0; 3].map(|_| self.builder.declare_var(types::I64));
        let [more, plan, long, group, short, failed, singles] = [0; 7].map(|_| self.block());
        self.jump(more);
        self.switch(more);
        let (at, end) = (self.builder.use_var(index), self.end);
        let some = self.compare(CmpOp::Lt, Type::U64, at, end);
        self.branch(some, plan, done);

        self.switch(plan);
        let fault = std::mem::replace(&mut self.fault, failed);
        let left = self.builder.ins().isub(end, at);
        self.builder.def_var(count, left);
        let planned = Group::new(self, shapes, count).plan();
        let indices = self.builder.use_var(count);
        let ins = self.builder.ins();
        let enough = ins.icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, indices, lanes);
        self.branch(enough, long, short);

        self.switch(long);
        let whole = self.builder.ins().band_imm_s(indices, -lanes);
        let last = self.builder.ins().iadd(at, whole);
        self.builder.def_var(start, at);
        self.jump(group);
        self.switch(group);
        let (at, first) = (self.builder.use_var(index), self.builder.use_var(start));
        let along = self.builder.ins().isub(at, first);
        Group::new(self, shapes, count).run(planned, along);
        let next = self.builder.ins().iadd_imm_s(at, lanes);
        self.builder.def_var(index, next);
        let again = self.compare(CmpOp::Lt, Type::U64, next, last);
        self.branch(again, group, more);
        self.fault = fault;

        self.switch(short);
        let one = self.builder.ins().iconst(types::I64, 1);
        let few = self.builder.ins().umax(indices, one);
        self.builder.def_var(count, few);
        self.jump(singles);
        self.switch(failed);
        let few = self.builder.ins().iconst(types::I64, SINGLES);
        self.builder.def_var(count, few);
        self.jump(singles);
        self.switch(singles);
        let (at, few) = (self.builder.use_var(index), self.builder.use_var(count));
        let left = self.builder.ins().isub(end, at);
        let few = self.builder.ins().umin(few, left);
        let until = self.builder.ins().iadd(at, few);
        self.builder.def_var(limit, until);
        self.one_by_one(limit, more);
    }
}

/// What the plan has remembered of an expression outside of inner loops: its value at the run's first index;
/// of a load of a run of elements, the address.
pub(super) type Planned = HashMap<*const Expr, (Shape, Variable)>;

/// Emits the body for a whole group.
pub(super) struct Group<'s, 'b, 'a, 'f> {
    pub(super) body: &'b mut Body<'a, 'f>,
    pub(super) shapes: &'s Shapes<'s>,
    pub(super) pass: Pass,
    /// Of the plan: for how many indices all checks hold.
    count: Variable,
    planned: Planned,
    /// Of a group: how far it is from the run's first index.
    along: Option<Ssa>,
    /// Inner loops around.
    loops: u32,
    /// The locals that vary.
    locals: Vec<Option<Variable>>,
    /// New elements of own slices, until all of the group have computed theirs.
    stores: Vec<Option<Variable>>,
    /// Whether only some of the group run what is emitted, and of a group, which.
    masked: bool,
    mask: Option<Ssa>,
}

impl<'s, 'b, 'a, 'f> Group<'s, 'b, 'a, 'f> {
    fn new(body: &'b mut Body<'a, 'f>, shapes: &'s Shapes<'s>, count: Variable) -> Self {
        let module = body.module;
        Self {
            locals: vec![None; module.locals.len()],
            stores: vec![None; module.params.len()],
            pass: Pass::Plan,
            planned: HashMap::new(),
            along: None,
            loops: 0,
            masked: false,
            mask: None,
            count,
            body,
            shapes,
        }
    }

    fn variable(&mut self, ty: Type) -> Variable {
        let vector = self.vector_type(ty);
        self.body.builder.declare_var(vector)
    }

    fn plan(mut self) -> Planned {
        let module = self.body.module;
        self.stmts(&module.body);
        self.planned
    }

    fn run(mut self, planned: Planned, along: Ssa) {
        let module = self.body.module;
        (self.pass, self.planned, self.along) = (Pass::Group, planned, Some(along));
        for (n, local) in module.locals.iter().enumerate() {
            let varies = self.shapes.local(LocalId(n as u16)) == Shape::Varying;
            self.locals[n] = varies.then(|| self.variable(local.ty));
        }
        for n in 0..module.params.len() {
            let param = ParamId(n as u16);
            if self.shapes.stores_to(param) {
                let old = self.own(param);
                let variable = self.variable(self.body.elem(param).value_type());
                self.body.builder.def_var(variable, old);
                self.stores[n] = Some(variable);
            }
        }
        self.stmts(&module.body);
        for n in 0..module.params.len() {
            if let Some(variable) = self.stores[n] {
                let value = self.body.builder.use_var(variable);
                self.store_run(ParamId(n as u16), value);
            }
        }
    }

    /// Of the plan: what is checked holds for so many indices, by an integer of the type.
    pub(super) fn holds_for(&mut self, ty: Type, indices: Ssa) {
        let indices = self.body.cast(ty.unsigned(), Type::U64, indices);
        let count = self.body.builder.use_var(self.count);
        let less = self.body.builder.ins().umin(count, indices);
        self.body.builder.def_var(self.count, less);
    }

    pub(super) fn plans(&self) -> bool {
        self.pass == Pass::Plan
    }

    /// What varies: the plan has no use for its value.
    pub(super) fn varying(&mut self, f: impl FnOnce(&mut Self) -> Ssa) -> Wide {
        match self.pass {
            Pass::Plan => Varying(None),
            Pass::Group => Varying(Some(f(self))),
        }
    }

    pub(super) fn index(&mut self) -> Ssa {
        let index = self.body.local(self.body.module.index);
        self.body.builder.use_var(index)
    }

    /// The group's elements of an own slice, as this body has left them so far.
    fn own(&mut self, param: ParamId) -> Ssa {
        if let Some(variable) = self.stores[usize::from(param.0)] {
            return self.body.builder.use_var(variable);
        }
        let address = self.own_address(param);
        self.load_run(self.body.elem(param), address)
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Set(id, value) => {
                let value = self.expr(value);
                self.set(*id, value);
            }
            Stmt::Store(param, value) => self.store(*param, value),
            Stmt::If(condition, yes, no) => self.if_stmt(condition, yes, no),
            Stmt::For {
                var,
                start,
                end,
                body,
            } => self.counted(*var, start, end, body),
            Stmt::Loop(body) => {
                let (head, done) = (self.body.block(), self.body.block());
                self.body.jump(head);
                self.body.switch(head);
                self.in_loop(done, head, body);
                self.body.jump(head);
                self.body.switch(done);
            }
            Stmt::Fault => self.fault(),
            Stmt::Break | Stmt::Continue => self.body.stmt(stmt),
            Stmt::Fill(..) | Stmt::SetElement(..) | Stmt::Accumulate(..) => {
                unreachable!("its shape is not known")
            }
        }
    }

    fn in_loop(&mut self, to_break: ir::Block, to_continue: ir::Block, body: &[Stmt]) {
        let again = u32::from(!runs_once(body));
        self.body.loops.push((to_break, to_continue));
        self.loops += again;
        self.stmts(body);
        self.loops -= again;
        self.body.loops.pop();
    }

    fn counted(&mut self, var: LocalId, start: &Expr, end: &Expr, body: &[Stmt]) {
        let (start, end) = (self.expr(start), self.expr(end));
        let ty = self.body.module.locals[usize::from(var.0)].ty;
        if let (Linear(start), Linear(end)) = (start, end) {
            self.follows(ty, start);
            self.follows(ty, end);
        }
        let turns = self.body.open(var, start.single(), end.single());
        let at = self.body.builder.use_var(self.body.local(var));
        self.set(var, start.with(at));
        self.in_loop(turns.done, turns.step, body);
        self.body.close(&turns);
    }

    /// Leaves for the single indices, if any of the group gets here.
    fn fault(&mut self) {
        match (self.mask, self.pass) {
            (Some(mask), _) => {
                let any = self.body.builder.ins().vany_true(mask);
                let none = self.body.builder.ins().bxor_imm_u(any, 1);
                self.body.check(none);
            }
            (None, Pass::Plan) if self.masked => {}
            (None, _) => self.body.leave(self.body.fault),
        }
    }

    fn set(&mut self, id: LocalId, value: Wide) {
        let ty = self.body.module.locals[usize::from(id.0)].ty;
        match (self.locals[usize::from(id.0)], value) {
            (Some(variable), _) => {
                let value = self.vector(ty, value);
                if self.shapes.is_set_once(id) {
                    self.body.builder.def_var(variable, value); // others of the group do not read it
                } else {
                    self.assign(variable, ty, value);
                }
            }
            (None, Uniform(value) | Linear(value)) => {
                self.body.builder.def_var(self.body.local(id), value);
            }
            (None, Varying(_)) => {} // the plan
        }
    }

    fn store(&mut self, param: ParamId, value: &Expr) {
        let value = self.expr(value);
        if self.plans() {
            self.own_address(param);
            return;
        }
        let elem = self.body.elem(param);
        let value = self.vector(elem.value_type(), value);
        let value = self.as_stored(elem, value);
        let variable = self.stores[usize::from(param.0)].expect("it is stored to");
        self.assign(variable, elem.value_type(), value);
    }

    /// Assigns for those that run this.
    fn assign(&mut self, variable: Variable, ty: Type, value: Ssa) {
        let value = match self.mask {
            None => value,
            Some(mask) => {
                let old = self.body.builder.use_var(variable);
                self.blend(ty, mask, value, old)
            }
        };
        self.body.builder.def_var(variable, value);
    }

    fn if_stmt(&mut self, condition: &Expr, yes: &[Stmt], no: &[Stmt]) {
        let condition = self.expr(condition);
        if let (Uniform(_), Pass::Group) = (condition, self.pass) {
            match (yes, no) {
                (side, [Stmt::Fault]) | ([Stmt::Fault], side) => return self.stmts(side), // the plan went there too
                _ => {}
            }
        }
        match condition {
            Varying(mask) => {
                self.under(mask, |this| this.stmts(yes));
                self.under_not(mask, |this| this.stmts(no));
            }
            Uniform(condition) | Linear(condition) => {
                self.one_of(condition, |this| this.stmts(yes), |this| this.stmts(no));
            }
        }
    }

    /// Runs one of two sides, for the whole group.
    fn one_of(&mut self, condition: Ssa, yes: impl FnOnce(&mut Self), no: impl FnOnce(&mut Self)) {
        let [then, other, done] = [0; 3].map(|_| self.body.block());
        self.body.branch(condition, then, other);
        self.body.switch(then);
        yes(self);
        self.body.jump(done);
        self.body.switch(other);
        no(self);
        self.body.jump(done);
        self.body.switch(done);
    }

    /// Emits what only some of the group run.
    fn under<T>(&mut self, mask: Option<Ssa>, f: impl FnOnce(&mut Self) -> T) -> T {
        let inner = match (self.mask, mask) {
            (Some(outer), Some(mask)) => Some(self.body.builder.ins().band(outer, mask)),
            (_, mask) => mask,
        };
        let outer = (
            std::mem::replace(&mut self.mask, inner),
            std::mem::replace(&mut self.masked, true),
        );
        let value = f(self);
        (self.mask, self.masked) = outer;
        value
    }

    fn under_not<T>(&mut self, mask: Option<Ssa>, f: impl FnOnce(&mut Self) -> T) -> T {
        let mask = mask.map(|mask| self.body.builder.ins().bnot(mask));
        self.under(mask, f)
    }

    /// A value: what the plan has remembered of it, or else computed, and by the plan remembered.
    pub(super) fn expr(&mut self, e: &Expr) -> Wide {
        let plain = matches!(
            e,
            Expr::Const(_) | Expr::Scalar(_) | Expr::Len(_) | Expr::Local(_)
        );
        if plain || self.loops > 0 {
            return self.evaluate(e);
        }
        match self.pass {
            Pass::Plan => {
                let value = self.evaluate(e);
                if !matches!(value, Varying(_)) && !holds_block(e) {
                    self.remember(e, value);
                }
                value
            }
            Pass::Group if !matches!(e, Expr::Load(..)) => {
                self.recall(e).unwrap_or_else(|| self.evaluate(e))
            }
            Pass::Group => self.evaluate(e),
        }
    }

    fn remember(&mut self, e: &Expr, value: Wide) {
        let ty = self.body.builder.func.dfg.value_type(value.single());
        let variable = self.body.builder.declare_var(ty);
        self.body.builder.def_var(variable, value.single());
        self.planned.insert(e, (value.shape(), variable));
    }

    fn recall(&mut self, e: &Expr) -> Option<Wide> {
        let (shape, variable) = *self.planned.get(&ptr::from_ref(e))?;
        let value = self.body.builder.use_var(variable);
        Some(match (shape, self.along) {
            (Shape::Linear, Some(along)) => {
                let along = self.body.cast(Type::U64, self.shapes.ty(e), along);
                Linear(self.body.builder.ins().iadd(value, along))
            }
            _ => Uniform(value),
        })
    }

    fn evaluate(&mut self, e: &Expr) -> Wide {
        match e {
            Expr::Const(_) | Expr::Scalar(_) | Expr::Len(_) => Uniform(self.body.expr(e)),
            Expr::Local(id) => self.get(*id),
            Expr::LoadOwn(param) => {
                if self.plans() {
                    self.own_address(*param);
                }
                self.varying(|this| this.own(*param))
            }
            Expr::Load(param, at) => self.load(e, *param, at),
            Expr::Element(array, at) => {
                let at = self.expr(at).single();
                Uniform(self.body.load_element(*array, at))
            }
            Expr::Block(stmts, value) => {
                self.stmts(stmts);
                self.expr(value)
            }
            Expr::And(a, b) => self.both(BinOp::And, a, b),
            Expr::Or(a, b) => self.both(BinOp::Or, a, b),
            Expr::If(condition, yes, no) => self.choice(e, condition, yes, no),
            Expr::Unary(op, a) => {
                let (ty, a) = (self.shapes.ty(a), self.expr(a));
                self.unary(*op, ty, a)
            }
            Expr::Binary(op, a, b) => {
                let (ty, other) = (self.shapes.ty(a), self.shapes.ty(b));
                let (x, y) = (self.expr(a), self.expr(b));
                let shape = self.shapes.binary(*op, a, (x.shape(), y.shape()), b);
                self.binary(*op, shape, (ty, x), (other, y))
            }
            Expr::Compare(op, a, b) => {
                let ty = self.shapes.ty(a);
                let (a, b) = (self.expr(a), self.expr(b));
                self.compare(*op, ty, a, b)
            }
            Expr::Cast(to, a) => {
                let (from, a) = (self.shapes.ty(a), self.expr(a));
                self.cast(from, *to, a)
            }
            Expr::Bits(to, a) => {
                let (from, a) = (self.shapes.ty(a), self.expr(a));
                self.bits(from, *to, a)
            }
            Expr::MulAdd(a, b, c) => {
                let ty = self.shapes.ty(a);
                let args = [self.expr(a), self.expr(b), self.expr(c)];
                self.mul_add(ty, args)
            }
            Expr::Call(..) => unreachable!("validated: linked"),
        }
    }

    fn get(&mut self, id: LocalId) -> Wide {
        match (self.shapes.local(id), self.locals[usize::from(id.0)]) {
            (Shape::Varying, Some(variable)) => Varying(Some(self.body.builder.use_var(variable))),
            (Shape::Varying, None) => Varying(None),
            (Shape::Linear, _) => Linear(self.body.builder.use_var(self.body.local(id))),
            (Shape::Uniform, _) => Uniform(self.body.builder.use_var(self.body.local(id))),
        }
    }

    /// An element for all, or a run of elements, whose address the plan has checked and remembers.
    fn load(&mut self, e: &Expr, param: ParamId, at: &Expr) -> Wide {
        let elem = self.body.elem(param);
        let known = (!self.plans() && self.loops == 0).then(|| self.planned.get(&ptr::from_ref(e)));
        if let Some(&(shape, variable)) = known.flatten() {
            let value = self.body.builder.use_var(variable);
            return match (shape, self.along) {
                (Shape::Linear, Some(along)) => {
                    let address = self.body.offset(elem, value, along);
                    self.varying(|this| this.load_run(elem, address))
                }
                _ => Uniform(value),
            };
        }
        match self.expr(at) {
            Linear(first) => {
                let address = self.run_address(param, first);
                if self.plans() && self.loops == 0 && !holds_block(e) {
                    self.remember(e, Linear(address));
                }
                self.varying(|this| this.load_run(elem, address))
            }
            Uniform(at) => {
                let address = self.body.element(param, at);
                Uniform(self.body.load(elem, address))
            }
            at => self.varying(|this| this.gather(param, at)),
        }
    }

    /// `&&` (`And`) or `||` (`Or`); what varies is evaluated for all.
    fn both(&mut self, op: BinOp, a: &Expr, b: &Expr) -> Wide {
        let on_and = op == BinOp::And;
        let a = match self.expr(a) {
            Varying(mask) => {
                let b = match on_and {
                    true => self.under(mask, |this| this.expr(b)),
                    false => self.under_not(mask, |this| this.expr(b)),
                };
                return self.varying(|this| {
                    let a = this.vector(Type::Bool, Varying(mask));
                    let b = this.vector(Type::Bool, b);
                    this.body.binary(op, Type::Bool, a, b)
                });
            }
            Uniform(a) | Linear(a) => a,
        };
        let short = Expr::Const(Value::Bool(!on_and));
        let (yes, no) = if on_and { (b, &short) } else { (&short, b) };
        let shape = self.shapes.shape(b);
        self.either(a, Type::Bool, shape, yes, no)
    }

    fn choice(&mut self, e: &Expr, condition: &Expr, yes: &Expr, no: &Expr) -> Wide {
        let ty = self.shapes.ty(e);
        match self.expr(condition) {
            Varying(mask) => {
                let yes = self.under(mask, |this| this.expr(yes));
                let no = self.under_not(mask, |this| this.expr(no));
                self.varying(|this| {
                    let (yes, no) = (this.vector(ty, yes), this.vector(ty, no));
                    let mask = this.vector(Type::Bool, Varying(mask));
                    this.blend(ty, mask, yes, no)
                })
            }
            Uniform(condition) | Linear(condition) => {
                let shape = self.shapes.shape(e);
                self.either(condition, ty, shape, yes, no)
            }
        }
    }

    /// The value of one of two sides, for the whole group.
    fn either(&mut self, condition: Ssa, ty: Type, shape: Shape, yes: &Expr, no: &Expr) -> Wide {
        if shape == Shape::Varying && self.plans() {
            let evaluate = |side| {
                move |this: &mut Self| {
                    this.expr(side);
                }
            };
            self.one_of(condition, evaluate(yes), evaluate(no));
            return Varying(None);
        }
        let carried = match shape {
            Shape::Varying => self.vector_type(ty),
            _ => clif(ty),
        };
        let (then, other, done) = self.body.fork(carried);
        self.body.branch(condition, then, other);
        for (block, side) in [(then, yes), (other, no)] {
            self.body.switch(block);
            let value = match (shape, self.expr(side)) {
                (Shape::Varying, value) => self.vector(ty, value),
                (Shape::Linear, Uniform(value)) => {
                    self.body.leave(self.body.fault); // here it does not count along
                    value
                }
                (_, value) => value.single(),
            };
            self.body.give(value, done);
        }
        self.body.switch(done);
        let value = self.body.builder.block_params(done)[0];
        match shape {
            Shape::Varying => Varying(Some(value)),
            Shape::Linear => Linear(value),
            Shape::Uniform => Uniform(value),
        }
    }
}

/// Whether a loop of this body has one turn at most: it is there for its `break`s alone.
fn runs_once(body: &[Stmt]) -> bool {
    fn goes_on(stmts: &[Stmt]) -> bool {
        stmts.iter().any(|stmt| match stmt {
            Stmt::Continue => true,
            Stmt::If(_, yes, no) => goes_on(yes) || goes_on(no),
            _ => false, // inner loops have their own
        })
    }
    matches!(body.last(), Some(Stmt::Break)) && !goes_on(body)
}

/// Whether evaluating it also assigns locals, which must not be left out.
fn holds_block(e: &Expr) -> bool {
    struct Blocks(bool);
    impl Visit for Blocks {
        fn expr(&mut self, e: &Expr) {
            self.0 |= matches!(e, Expr::Block(..));
        }
    }
    let mut blocks = Blocks(false);
    walk::expr(&mut blocks, e);
    blocks.0
}
