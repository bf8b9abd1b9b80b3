//! Which values of a body are the same for neighbouring indices, which count along with them, and which
//! differ: whether a group of indices can run at once, in vector registers.

use hotsled_ir::walk::{self, Visit};
use hotsled_ir::{BinOp, Expr, LocalId, Module, ParamId, ParamKind, Stmt, Type, Value};

/// What a value is over a group of neighbouring indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Shape {
    /// One value for all of them.
    Uniform,
    /// An integer that grows by one from index to index, wrapping.
    Linear,
    /// An integer that falls by one from index to index, wrapping.
    Falling,
    /// A value for each of them.
    Varying,
}

use Shape::{Falling, Linear, Uniform, Varying};

/// Width of what varies: 128 bits hold a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Width {
    /// Four indices, of 32-bit values.
    Four,
    /// Two indices, of 64-bit values.
    Two,
}

impl Width {
    /// Indices in a group.
    pub(in crate::sim) const fn lanes(self) -> u8 {
        match self {
            Self::Four => 4,
            Self::Two => 2,
        }
    }

    /// Whether a value of this type may vary.
    pub(in crate::sim) const fn fits(self, ty: Type) -> bool {
        match ty {
            Type::Bool => true,
            Type::I32 | Type::U32 | Type::F32 => matches!(self, Self::Four),
            Type::I64 | Type::U64 | Type::F64 => matches!(self, Self::Two),
        }
    }
}

/// A body that can run by groups.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Shapes<'m> {
    module: &'m Module,
    width: Width,
    /// None: nothing assigned it yet.
    locals: Vec<Option<Shape>>,
    /// How many statements of the body assign each local.
    sets: Vec<u32>,
    /// The own slices that are stored to.
    stored: Vec<bool>,
    changed: bool,
}

impl<'m> Shapes<'m> {
    /// The shapes of a module's locals; `None` where its indices have to run one by one.
    pub(in crate::sim) fn of(module: &'m Module) -> Option<Self> {
        [Width::Four, Width::Two]
            .into_iter()
            .find_map(|width| Self::with(module, width))
    }

    fn with(module: &'m Module, width: Width) -> Option<Self> {
        let mut this = Self {
            module,
            width,
            locals: vec![None; module.locals.len()],
            sets: sets(module),
            stored: vec![false; module.params.len()],
            changed: true,
        };
        this.locals[usize::from(module.index.0)] = Some(Linear);
        while std::mem::take(&mut this.changed) {
            this.block(&module.body, false)?;
        }
        Some(this)
    }

    pub(in crate::sim) fn width(&self) -> Width {
        self.width
    }

    /// What the prelude assigned, and is not assigned here, is uniform.
    pub(in crate::sim) fn local(&self, id: LocalId) -> Shape {
        self.locals[usize::from(id.0)].unwrap_or(Uniform)
    }

    /// Whether one statement alone assigns it: those of a group that do not run this do not read it either.
    pub(in crate::sim) fn is_set_once(&self, id: LocalId) -> bool {
        self.sets[usize::from(id.0)] == 1
    }

    pub(in crate::sim) fn stores_to(&self, param: ParamId) -> bool {
        self.stored[usize::from(param.0)]
    }

    /// Of an expression of the body.
    pub(in crate::sim) fn shape(&self, e: &Expr) -> Shape {
        let mut known = self.clone(); // nothing in it will change any more
        known.expr(e, false).expect("the whole body has shapes")
    }

    fn block(&mut self, stmts: &[Stmt], masked: bool) -> Option<()> {
        stmts.iter().try_for_each(|stmt| self.stmt(stmt, masked))
    }

    /// `masked`: only some of the group run it.
    fn stmt(&mut self, stmt: &Stmt, masked: bool) -> Option<()> {
        match stmt {
            Stmt::Set(id, value) => {
                let shape = self.expr(value, masked)?;
                let keeps = !masked || self.is_set_once(*id);
                self.join(*id, if keeps { shape } else { Varying })
            }
            Stmt::Store(param, value) => {
                self.expr(value, masked)?;
                self.stored[usize::from(param.0)] = true;
                self.element(*param).map(drop)
            }
            Stmt::If(condition, yes, no) => {
                let masked = self.expr(condition, masked)? == Varying || masked;
                self.block(yes, masked)?;
                self.block(no, masked)
            }
            Stmt::For { .. } | Stmt::Loop(_) | Stmt::Break | Stmt::Continue if masked => None,
            Stmt::For {
                var,
                start,
                end,
                body,
            } => {
                let (start, end) = (self.expr(start, false)?, self.expr(end, false)?);
                (start == end && matches!(start, Uniform | Linear)).then_some(())?;
                self.join(*var, start)?;
                self.block(body, false)
            }
            Stmt::Loop(body) => self.block(body, false),
            Stmt::Break | Stmt::Continue | Stmt::Fault => Some(()),
            Stmt::Fill(..) | Stmt::SetElement(..) | Stmt::Accumulate(..) => None,
        }
    }

    fn join(&mut self, id: LocalId, shape: Shape) -> Option<()> {
        let known = &mut self.locals[usize::from(id.0)];
        let joined = known.map_or(shape, |known| either(known, shape));
        self.changed |= *known != Some(joined);
        *known = Some(joined);
        let ty = self.module.locals[usize::from(id.0)].ty;
        (joined != Varying || self.width.fits(ty)).then_some(())
    }

    fn element(&self, param: ParamId) -> Option<Shape> {
        let elem = self.module.params[usize::from(param.0)].kind.elem()?;
        self.varying(elem.value_type())
    }

    fn varying(&self, ty: Type) -> Option<Shape> {
        self.width.fits(ty).then_some(Varying)
    }

    fn expr(&mut self, e: &Expr, masked: bool) -> Option<Shape> {
        match e {
            Expr::Const(_) | Expr::Scalar(_) | Expr::Len(_) => Some(Uniform),
            Expr::Local(id) => Some(self.local(*id)),
            Expr::LoadOwn(param) => self.element(*param),
            Expr::Load(param, at) => match self.expr(at, masked)? {
                Uniform => Some(Uniform),
                Linear | Falling | Varying => self.element(*param),
            },
            Expr::Element(_, at) => {
                let shape = self.expr(at, masked)?;
                (shape == Uniform).then_some(Uniform)
            }
            Expr::Block(stmts, value) => {
                self.block(stmts, masked)?;
                self.expr(value, masked)
            }
            Expr::And(a, b) | Expr::Or(a, b) => self.both(a, b, masked),
            Expr::If(condition, yes, no) => {
                let varies = self.expr(condition, masked)? == Varying;
                let yes_shape = self.expr(yes, masked || varies)?;
                let no_shape = self.expr(no, masked || varies)?;
                match (yes_shape, no_shape) {
                    _ if varies => self.varying(self.ty(yes)),
                    (Uniform, Uniform) => Some(Uniform),
                    (Linear | Uniform, Linear | Uniform) => Some(Linear), // where it is; see `Group`
                    _ => self.varying(self.ty(yes)),
                }
            }
            _ => self.operator(e, masked),
        }
    }

    /// `&&` and `||`, whose right side some of the group may not need.
    fn both(&mut self, a: &Expr, b: &Expr, masked: bool) -> Option<Shape> {
        let varies = self.expr(a, masked)? == Varying;
        let b = self.expr(b, masked || varies)?;
        Some(if varies { Varying } else { b })
    }

    fn operator(&mut self, e: &Expr, masked: bool) -> Option<Shape> {
        match e {
            Expr::Unary(_, a) | Expr::Cast(_, a) | Expr::Bits(_, a) => {
                let from = self.ty(a);
                match (self.expr(a, masked)?, e) {
                    (Uniform, _) => Some(Uniform),
                    (shape @ (Linear | Falling), Expr::Cast(to, _)) if to.is_integer() => {
                        Some(shape)
                    }
                    (Linear | Falling, Expr::Cast(to, _)) => self.varying(*to),
                    (Linear | Falling, _) => self.varying(from),
                    (Varying, _) => self.varying(self.ty(e)),
                }
            }
            Expr::Binary(op, a, b) => {
                let (x, y) = (self.expr(a, masked)?, self.expr(b, masked)?);
                let shift = matches!(op, BinOp::Shl | BinOp::Shr);
                match self.binary(*op, a, (x, y), b) {
                    Varying if shift && y != Uniform && !self.width.fits(Type::U32) => None,
                    Varying => self.varying(self.ty(a)),
                    shape => Some(shape),
                }
            }
            Expr::Compare(_, a, b) => match (self.expr(a, masked)?, self.expr(b, masked)?) {
                (Varying | Falling, _) | (_, Varying | Falling) => self.varying(self.ty(a)),
                _ => Some(Uniform),
            },
            Expr::MulAdd(a, b, c) => {
                let mut all = Uniform;
                for operand in [a, b, c] {
                    all = either(all, self.expr(operand, masked)?);
                }
                (all == Uniform)
                    .then_some(Uniform)
                    .or_else(|| self.varying(self.ty(a)))
            }
            _ => None,
        }
    }

    /// The shape of `a op b` by those of both. Quotients keep, and remainders and extremes count along, for a
    /// while only: the plan works out how long. The minimum with a small constant is mostly the constant.
    pub(in crate::sim) fn binary(
        &self,
        op: BinOp,
        a: &Expr,
        shapes: (Shape, Shape),
        b: &Expr,
    ) -> Shape {
        let rows = !self.ty(a).is_signed() && !is_few(b);
        match (op, shapes.0, shapes.1) {
            (_, Uniform, Uniform) => Uniform,
            (BinOp::Add, Linear, Uniform) | (BinOp::Add, Uniform, Linear) => Linear,
            (BinOp::Sub, Linear, Uniform) | (BinOp::Sub, Uniform, Falling) => Linear,
            (BinOp::Sub, Linear, Linear) => Uniform,
            (BinOp::Add, Falling, Uniform) | (BinOp::Add, Uniform, Falling) => Falling,
            (BinOp::Sub, Falling, Uniform) | (BinOp::Sub, Uniform, Linear) => Falling,
            (BinOp::Min, Linear | Falling, Uniform) if is_few(b) => Uniform,
            (BinOp::Div, Linear, Uniform) if rows => Uniform,
            (BinOp::Rem, Linear, Uniform) if rows => Linear,
            (BinOp::Min | BinOp::Max, Linear, Uniform) => Linear,
            (BinOp::Min | BinOp::Max, Uniform, Linear) => Linear,
            _ => Varying,
        }
    }

    pub(in crate::sim) fn ty(&self, e: &Expr) -> Type {
        ty(self.module, e)
    }
}

fn sets(module: &Module) -> Vec<u32> {
    struct Sets(Vec<u32>);
    impl Visit for Sets {
        fn stmt(&mut self, stmt: &Stmt) {
            if let Stmt::Set(id, _) | Stmt::For { var: id, .. } = stmt {
                self.0[usize::from(id.0)] += 1;
            }
        }
    }
    let mut sets = Sets(vec![0; module.locals.len()]);
    walk::block(&mut sets, &module.body);
    sets.0
}

/// A value's type.
pub(in crate::sim) fn ty(module: &Module, e: &Expr) -> Type {
    let elem = |param: &ParamId| {
        let kind = module.params[usize::from(param.0)].kind;
        kind.elem().expect("validated: only slices are indexed")
    };
    match e {
        Expr::Const(value) => value.ty(),
        Expr::Local(id) => module.locals[usize::from(id.0)].ty,
        Expr::Scalar(id) => match module.params[usize::from(id.0)].kind {
            ParamKind::Scalar(ty) => ty,
            _ => unreachable!("validated: a scalar"),
        },
        Expr::Len(_) => Type::U64,
        Expr::Load(param, _) | Expr::LoadOwn(param) => elem(param).value_type(),
        Expr::Unary(_, a)
        | Expr::Binary(_, a, _)
        | Expr::If(_, a, _)
        | Expr::Block(_, a)
        | Expr::MulAdd(a, _, _) => ty(module, a),
        Expr::Compare(..) | Expr::And(..) | Expr::Or(..) => Type::Bool,
        Expr::Cast(ty, _) | Expr::Bits(ty, _) => *ty,
        Expr::Element(array, _) => module.arrays[usize::from(array.0)].ty,
        Expr::Call(..) => unreachable!("validated: linked"),
    }
}

/// A small constant: rows of so many indices are not worth a plan each.
fn is_few(e: &Expr) -> bool {
    matches!(e, Expr::Const(Value::U64(0..16) | Value::U32(0..16)))
}

/// What is one or the other.
fn either(a: Shape, b: Shape) -> Shape {
    if a == b { a } else { Varying }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The width of groups of a section with these statements; `x` holds `f32`, `d` holds `f64`.
    fn width(body: &str) -> Option<Width> {
        let text = format!(
            "section s(n: u64, x: in f32, y: own f32, d: in f64, e: own f64) {{
                local %0.i: u64
                local %1.r: u64
                local %2.v: f32
                local %3.k: u64
                parallel %0.i {{ {body} }}
            }}"
        );
        let module = hotsled_ir::parse(&text).expect("it is well-formed");
        let module = hotsled_ir::validate(module).expect("it is valid");
        Some(Shapes::of(&module)?.width())
    }

    #[test]
    fn runs_of_elements_go_side_by_side() {
        let four = Some(Width::Four);
        assert_eq!(width("store $2.y, mul(2.0f32, $1.x[%0.i])"), four);
        assert_eq!(width("store $2.y, $1.x[add(%0.i, $0.n)]"), four);
        assert_eq!(width("store $4.e, $3.d[%0.i]"), Some(Width::Two));
    }

    #[test]
    fn rows_do_too_unless_they_are_short() {
        let row = |n: &str| format!("store $2.y, $1.x[rem(%0.i, {n})]");
        assert_eq!(width(&row("$0.n")), Some(Width::Four));
        assert_eq!(width(&row("3u64")), None);
    }

    #[test]
    fn what_falls_does_in_narrow_types_too() {
        let store = |at: &str| format!("store $2.y, $1.x[{at}]");
        let edge = "add(%0.i, min(sub($0.n, %0.i), 1u64))";
        assert_eq!(width(&store(edge)), Some(Width::Four));
        assert_eq!(width(&store("sub($0.n, %0.i)")), Some(Width::Four));
        assert_eq!(width(&store("mul(sub($0.n, %0.i), 2u64)")), None);
    }

    #[test]
    fn values_of_two_widths_do_not() {
        let mixed = "store $2.y, $1.x[%0.i] store $4.e, $3.d[%0.i]";
        assert_eq!(width(mixed), None);
    }

    #[test]
    fn turns_of_loops_may_not_differ() {
        let until = |end: &str| {
            format!(
                "%2.v = 0.0f32
                for %3.k in 0u64..{end} {{ %2.v = add(%2.v, $1.x[add(%0.i, %3.k)]) }}
                store $2.y, %2.v"
            )
        };
        assert_eq!(width(&until("$0.n")), Some(Width::Four));
        assert_eq!(width(&until("to_u64($1.x[%0.i])")), None);
        let search = "%2.v = $1.x[%0.i]
            loop { if gt(%2.v, 4.0f32) { break } %2.v = mul(%2.v, 2.0f32) }
            store $2.y, %2.v";
        assert_eq!(width(search), None);
    }

    #[test]
    fn what_one_branch_makes_and_reads_keeps_its_shape() {
        let inner = "if gt($1.x[%0.i], 0.0f32) { %1.r = add(%0.i, 1u64) store $2.y, $1.x[%1.r] }";
        assert_eq!(width(inner), Some(Width::Four));
        let joined = format!("%1.r = %0.i {inner}");
        assert_eq!(width(&joined), None);
    }

    #[test]
    fn locals_of_inner_conditions_have_shapes_too() {
        let text = "section s(x: in f32, y: own f32) {
            local %0.i: u64
            local %1.v: f32
            parallel %0.i {
                if gt($0.x[%0.i], 1.0f32) {
                    if { %1.v = $0.x[%0.i] yield gt(%1.v, 0.0f32) } { store $1.y, 1.0f32 }
                }
            }
        }";
        let module = hotsled_ir::validate(hotsled_ir::parse(text).unwrap()).unwrap();
        let shapes = Shapes::of(&module).unwrap();
        assert_eq!(shapes.local(LocalId(1)), Varying);
    }
}
