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

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of two places.
    fn numbers(places: [&str; 2]) -> [Number; 2] {
        let [a, b] = places.map(|at| format!("store $1.y, $0.x[{at}]"));
        let text = format!(
            "section s(x: in f32, y: own f32, n: u64) {{
                local %0.i: u64
                parallel %0.i {{ {a} {b} }}
            }}"
        );
        let module = hotsled_ir::parse(&text).expect("it is well-formed");
        let mut numbers = Numbers::new(&module);
        let mut of = |n: usize| match &module.body[n] {
            Stmt::Store(_, Expr::Load(_, at)) => numbers.of(at),
            other => panic!("{other:?}"),
        };
        [of(0), of(1)]
    }

    /// How far the second place is beyond the first, if that is known.
    fn apart(places: [&str; 2]) -> Option<i64> {
        let [a, b] = numbers(places);
        (a.class == b.class).then(|| b.more.wrapping_sub(a.more) as i64)
    }

    #[test]
    fn constants_are_kept_apart() {
        assert_eq!(apart(["%0.i", "%0.i"]), Some(0));
        assert_eq!(apart(["add(1u64, %0.i)", "sub(%0.i, 1u64)"]), Some(-2));
        assert_eq!(apart(["%0.i", "sub(add(%0.i, $2.n), 4u64)"]), None);
        assert_eq!(apart(["7u64", "add(2u64, 3u64)"]), Some(-2));
        assert_eq!(apart(["%0.i", "sub(1u64, %0.i)"]), None);
    }

    #[test]
    fn rows_are_classes() {
        let at = |row: &str, column: &str| format!("add(mul({row}, $2.n), {column})");
        let (west, east) = ("sub(%0.i, 1u64)", "add(%0.i, 1u64)");
        let here = at("%0.i", west);
        assert_eq!(apart([&here, &at("%0.i", east)]), Some(2));
        assert_eq!(apart([&here, &at(east, west)]), None);
    }

    #[test]
    fn narrow_sums_may_wrap() {
        let narrow = |more: u32| format!("to_u64(add(to_u32(%0.i), {more}u32))");
        assert_eq!(apart([&narrow(1), &narrow(1)]), Some(0));
        assert_eq!(apart([&narrow(1), &narrow(2)]), None);
    }
}
