//! Numbers of the plan's integers: which are the same, and which a constant apart.

use std::collections::HashMap;

use hotsled_ir::walk::Visit;
use hotsled_ir::{BinOp, Expr, LocalId, Module, ParamId, Stmt, Type, Value};

/// Values of one class differ by constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Class(u32);

/// A value: that of its class, and of `u64` so much more, wrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number {
    pub class: Class,
    pub more: u64,
}

/// What makes a class.
#[derive(PartialEq, Eq, Hash)]
enum Made {
    /// A constant by its bits; those of `u64` are zero and so much more.
    Const(Type, u64),
    Scalar(ParamId),
    Len(ParamId),
    Binary(BinOp, Type, Number, Number),
    Cast(Type, Number),
}

/// The numbers of locals as they stand, and all classes so far.
pub(super) struct Numbers<'m> {
    module: &'m Module,
    locals: Vec<Number>,
    made: HashMap<Made, Class>,
    classes: u32,
}

impl<'m> Numbers<'m> {
    pub(super) fn new(module: &'m Module) -> Self {
        let mut this = Self {
            module,
            locals: Vec::new(),
            made: HashMap::new(),
            classes: 0,
        };
        this.locals = module.locals.iter().map(|_| this.unlike()).collect();
        this
    }

    /// Those of all locals, to be restored.
    pub(super) fn locals(&self) -> Vec<Number> {
        self.locals.clone()
    }

    pub(super) fn restore(&mut self, locals: Vec<Number>) {
        self.locals = locals;
    }

    pub(super) fn set(&mut self, id: LocalId, number: Number) {
        self.locals[usize::from(id.0)] = number;
    }

    /// What this assigns, if it runs at all, may have any value now.
    pub(super) fn forget(&mut self, walk: impl FnOnce(&mut Assigned)) {
        let mut assigned = Assigned(Vec::new());
        walk(&mut assigned);
        for id in assigned.0 {
            let unlike = self.unlike();
            self.set(id, unlike);
        }
    }

    /// Of an expression where it is evaluated.
    pub(super) fn of(&mut self, e: &Expr) -> Number {
        match e {
            Expr::Const(Value::U64(more)) => Number {
                class: self.zero(),
                more: *more,
            },
            Expr::Const(value) => self.made(Made::Const(value.ty(), value.bits())),
            Expr::Local(id) => self.locals[usize::from(id.0)],
            Expr::Scalar(id) => self.made(Made::Scalar(*id)),
            Expr::Len(id) => self.made(Made::Len(*id)),
            Expr::Binary(op, a, b) => {
                let (ty, a, b) = (super::ty(self.module, a), self.of(a), self.of(b));
                match (op, ty) {
                    (BinOp::Add, Type::U64) => self.sum(*op, a, b, u64::wrapping_add),
                    (BinOp::Sub, Type::U64) => self.sum(*op, a, b, u64::wrapping_sub),
                    _ => self.made(Made::Binary(*op, ty, a, b)),
                }
            }
            Expr::Cast(to, a) => {
                let a = self.of(a);
                self.made(Made::Cast(*to, a))
            }
            _ => self.unlike(),
        }
    }

    /// A sum or difference: that of the classes, and of the constants.
    fn sum(&mut self, op: BinOp, a: Number, b: Number, more: fn(u64, u64) -> u64) -> Number {
        let zero = self.zero();
        let of_class = |class| Number { class, more: 0 };
        let class = match (a.class, b.class) {
            (class, other) if other == zero => class,
            (other, class) if other == zero && op == BinOp::Add => class,
            (a, b) => self.class(Made::Binary(op, Type::U64, of_class(a), of_class(b))),
        };
        let more = more(a.more, b.more);
        Number { class, more }
    }

    fn zero(&mut self) -> Class {
        self.class(Made::Const(Type::U64, 0))
    }

    fn made(&mut self, by: Made) -> Number {
        let class = self.class(by);
        Number { class, more: 0 }
    }

    fn class(&mut self, by: Made) -> Class {
        let next = Class(self.classes);
        let class = *self.made.entry(by).or_insert(next);
        self.classes += u32::from(class == next);
        class
    }

    /// A number that nothing else has.
    fn unlike(&mut self) -> Number {
        let class = Class(self.classes);
        self.classes += 1;
        Number { class, more: 0 }
    }
}

/// The locals that statements or an expression assign.
pub(super) struct Assigned(Vec<LocalId>);

impl Visit for Assigned {
    fn stmt(&mut self, stmt: &Stmt) {
        if let Stmt::Set(id, _) | Stmt::For { var: id, .. } = stmt {
            self.0.push(*id);
        }
    }
}
