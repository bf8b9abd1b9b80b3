//! Values of a group, by their shapes, and expressions.

use cranelift_codegen::ir::Value as Ssa;
use hotsled_ir::walk::{self, Visit};
use hotsled_ir::{BinOp, Expr, LocalId, ParamId, Type, Value};

use super::super::body::clif;
use super::shape::Shape;
use super::{Group, Pass};

/// A value by its shape.
#[derive(Clone, Copy)]
pub(super) enum Wide {
    /// The one of all.
    Uniform(Ssa),
    /// That of the first; the others follow by ones.
    Linear(Ssa),
    /// That of the first; the others follow, falling by ones.
    Falling(Ssa),
    /// All in a vector, of `bool` a mask; none in the plan, which has no use for it.
    Varying(Option<Ssa>),
}

use Wide::{Falling, Linear, Uniform, Varying};

impl Wide {
    /// The one of all, or that of the first.
    pub(super) fn single(self) -> Ssa {
        match self {
            Uniform(value) | Linear(value) | Falling(value) => value,
            Varying(_) => unreachable!("its shape is not known"),
        }
    }

    pub(super) fn shape(self) -> Shape {
        match self {
            Uniform(_) => Shape::Uniform,
            Linear(_) => Shape::Linear,
            Falling(_) => Shape::Falling,
            Varying(_) => Shape::Varying,
        }
    }

    /// A value of a shape: the one of all, that of the first, or a vector.
    pub(super) fn of(shape: Shape, value: Ssa) -> Self {
        match shape {
            Shape::Uniform => Uniform(value),
            Shape::Linear => Linear(value),
            Shape::Falling => Falling(value),
            Shape::Varying => Varying(Some(value)),
        }
    }
}

impl Group<'_, '_, '_, '_> {
    /// A value: what the plan has noted of it, or else computed, and by the plan noted.
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
                let whole = self.shapes.shape(e) != Shape::Varying && !holds_block(e);
                let value = self.part_of(whole, |this| this.evaluate(e));
                if whole && !self.noted {
                    self.note(e, value);
                }
                value
            }
            Pass::Group if !matches!(e, Expr::Load(..)) => {
                self.recall(e).unwrap_or_else(|| self.evaluate(e))
            }
            Pass::Group => self.evaluate(e),
        }
    }

    /// Of the plan: evaluates what is a part of what it notes as a whole, if it does.
    fn part_of<T>(&mut self, whole: bool, f: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.noted;
        self.noted |= whole;
        let value = f(self);
        self.noted = outer;
        value
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
            Expr::And(..) | Expr::Or(..) | Expr::If(..) => {
                let value = self.branching(e);
                self.numbers.forget(|assigned| walk::expr(assigned, e));
                value
            }
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

    /// What evaluates one side only, or both for a part of the group.
    fn branching(&mut self, e: &Expr) -> Wide {
        match e {
            Expr::And(a, b) => self.both(BinOp::And, a, b),
            Expr::Or(a, b) => self.both(BinOp::Or, a, b),
            Expr::If(condition, yes, no) => self.choice(e, condition, yes, no),
            _ => unreachable!("only these branch"),
        }
    }

    fn get(&mut self, id: LocalId) -> Wide {
        match (self.shapes.local(id), self.locals[usize::from(id.0)]) {
            (Shape::Varying, Some(variable)) => Varying(Some(self.body.builder.use_var(variable))),
            (Shape::Varying, None) => Varying(None),
            (shape, _) => Wide::of(shape, self.body.builder.use_var(self.body.local(id))),
        }
    }

    /// An element for all, or a run of elements, whose address the plan has checked and noted.
    fn load(&mut self, e: &Expr, param: ParamId, at: &Expr) -> Wide {
        let elem = self.body.elem(param);
        let noted = self.loops == 0 && !holds_block(e);
        if noted && !self.plans() {
            if let Some((address, bytes)) = self.recall_run(e, param) {
                return self.varying(|this| this.load_run(elem, address, bytes));
            }
            if let Some(value) = self.recall(e) {
                return value;
            }
        }
        let number = self.numbers.of(at);
        let runs = noted && self.plans() && self.shapes.shape(at) == Shape::Linear;
        match self.part_of(runs, |this| this.expr(at)) {
            Linear(first) => {
                let address = self.run_address(param, first);
                if runs {
                    self.note_run(e, param, first, number);
                }
                self.varying(|this| this.load_run(elem, address, 0))
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
            a => a.single(),
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
            condition => {
                let shape = self.shapes.shape(e);
                self.either(condition.single(), ty, shape, yes, no)
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
            let value = match (shape, self.way(|this| this.expr(side))) {
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
        Wide::of(shape, self.body.builder.block_params(done)[0])
    }
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
