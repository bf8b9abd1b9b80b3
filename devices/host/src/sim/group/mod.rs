//! A body over groups of neighbouring indices, in vector registers. `README.md` has the steps, and why they hold.

mod arithmetic;
mod element;
mod float;
mod notes;
mod number;
mod run;
mod shape;
mod value;

use std::slice;

use cranelift_codegen::ir::{self, InstBuilder, Value as Ssa, types};
use cranelift_frontend::Variable;
use hotsled_ir::walk;
use hotsled_ir::{CmpOp, Expr, LocalId, ParamId, Stmt, Type};

use super::body::Body;
use notes::Notes;
use number::Numbers;
use shape::Shape;
pub(super) use shape::{Shapes, ty};
use value::Wide::{self, Falling, Linear, Uniform, Varying};

/// What is being emitted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Checks, and for how many indices they hold.
    Plan,
    /// What varies.
    Group,
}

/// Turns of inner loops that a plan takes at most.
const TURNS: i64 = 1 << 22;

/// Emits the body for a whole group.
pub(super) struct Group<'s, 'b, 'a, 'f> {
    pub(super) body: &'b mut Body<'a, 'f>,
    pub(super) shapes: &'s Shapes<'s>,
    pub(super) pass: Pass,
    /// Of the plan: for how many indices all checks hold.
    count: Variable,
    /// Of the plan: turns of loops that it may still take.
    turns: Variable,
    /// What the plan leaves to groups.
    notes: Notes,
    /// Of the plan: what is evaluated is a part of what it will note.
    noted: bool,
    /// Of the plan: which values are the same, or a constant apart.
    numbers: Numbers<'a>,
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
        let turns = body.builder.declare_var(types::I64);
        Self {
            turns,
            notes: Notes::default(),
            noted: false,
            numbers: Numbers::new(module),
            locals: vec![None; module.locals.len()],
            stores: vec![None; module.params.len()],
            pass: Pass::Plan,
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

    fn plan(mut self) -> Notes {
        let module = self.body.module;
        let turns = self.body.builder.ins().iconst(types::I64, TURNS);
        self.body.builder.def_var(self.turns, turns);
        for n in 0..module.params.len() {
            let param = ParamId(n as u16);
            if self.shapes.stores_to(param) {
                self.own_address(param); // a group reads and writes all of them, whatever its conditions
            }
        }
        self.stmts(&module.body);
        self.notes
    }

    /// Gives the notes back, now that it is known which of them are taken.
    fn run(mut self, notes: Notes) -> Notes {
        let module = self.body.module;
        (self.pass, self.notes) = (Pass::Group, notes);
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
        self.notes
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
    fn varying(&mut self, f: impl FnOnce(&mut Self) -> Ssa) -> Wide {
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
        self.load_run(self.body.elem(param), address, 0)
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            let assigned = |assigned: &mut _| walk::block(assigned, slice::from_ref(stmt));
            if matches!(stmt, Stmt::For { .. } | Stmt::Loop(_)) {
                self.numbers.forget(assigned); // by an earlier turn
            }
            self.stmt(stmt);
            if matches!(stmt, Stmt::If(..) | Stmt::For { .. } | Stmt::Loop(_)) {
                self.numbers.forget(assigned);
            }
        }
    }

    /// One of several ways, on which locals have the numbers that they had before.
    fn way<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.numbers.locals();
        let value = f(self);
        self.numbers.restore(before);
        value
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Set(id, value) => {
                let number = self.numbers.of(value);
                let value = self.expr(value);
                self.set(*id, value);
                self.numbers.set(*id, number);
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
        self.turn();
        let again = u32::from(!runs_once(body));
        self.body.loops.push((to_break, to_continue));
        self.loops += again;
        self.stmts(body);
        self.loops -= again;
        self.body.loops.pop();
    }

    /// Of the plan: gives up a loop that does not end, which one of a group would leave by a fault.
    fn turn(&mut self) {
        if self.plans() {
            let left = self.body.builder.use_var(self.turns);
            let none = self.body.builder.ins().iconst(types::I64, 0);
            let some = self.body.compare(CmpOp::Ne, Type::U64, left, none);
            self.body.check(some);
            let less = self.body.builder.ins().iadd_imm_s(left, -1);
            self.body.builder.def_var(self.turns, less);
        }
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
        self.set(var, Wide::of(start.shape(), at));
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
            (None, Uniform(value) | Linear(value) | Falling(value)) => {
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
        // What only some run, the plan has not made sure of.
        if let (Uniform(_), Pass::Group, false) = (condition, self.pass, self.masked) {
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
            condition => {
                let condition = condition.single();
                self.one_of(condition, |this| this.stmts(yes), |this| this.stmts(no));
            }
        }
    }

    /// Runs one of two sides, for the whole group.
    fn one_of(&mut self, condition: Ssa, yes: impl FnOnce(&mut Self), no: impl FnOnce(&mut Self)) {
        let [then, other, done] = [0; 3].map(|_| self.body.block());
        self.body.branch(condition, then, other);
        self.body.switch(then);
        self.way(yes);
        self.body.jump(done);
        self.body.switch(other);
        self.way(no);
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
        let value = self.way(f);
        (self.mask, self.masked) = outer;
        value
    }

    fn under_not<T>(&mut self, mask: Option<Ssa>, f: impl FnOnce(&mut Self) -> T) -> T {
        let mask = mask.map(|mask| self.body.builder.ins().bnot(mask));
        self.under(mask, f)
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
