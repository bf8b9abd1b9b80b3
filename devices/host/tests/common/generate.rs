//! Random well-typed modules and arguments that hurt.

use hotsled_ir::interp::Arg;
use hotsled_ir::*;

/// A small generator of random numbers; its seed names a case.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.bits() >> 11) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Elements of every slice.
pub const LEN: u64 = 24;
/// Locals of each type that the prelude makes, and as many of the body's own.
const LOCALS: u16 = 3;
const ACCUMULATORS: [Elem; 6] = [
    Elem::I32,
    Elem::U32,
    Elem::I64,
    Elem::U64,
    Elem::I64,
    Elem::U32,
];
const INDEX: LocalId = LocalId(0);
const NUMBERS: [Type; 6] = [
    Type::I32,
    Type::U32,
    Type::I64,
    Type::U64,
    Type::F32,
    Type::F64,
];

/// What modules may have.
#[derive(Clone, Copy)]
pub struct Style {
    /// Parameters that accumulate; a launch over a link has room for one.
    pub accumulators: usize,
    /// `mul_add` of `f64`, which Vulkan devices may round twice.
    pub fused64: bool,
    /// Only these types differ from index to index, and neither array nor loop does: what may run by
    /// groups of neighbouring indices. None: anything does.
    pub flat: Option<&'static [Type]>,
}

impl Style {
    /// Everything there is.
    pub const FULL: Self = Self {
        accumulators: ACCUMULATORS.len(),
        fused64: true,
        flat: None,
    };
    /// Values of 32 bits, side by side.
    pub const FLAT32: Self = Self {
        flat: Some(&[Type::Bool, Type::I32, Type::U32, Type::F32]),
        ..Self::FULL
    };
    /// Values of 64 bits, side by side.
    pub const FLAT64: Self = Self {
        flat: Some(&[Type::Bool, Type::I64, Type::U64, Type::F64]),
        ..Self::FULL
    };
    /// What every device is to run, over a link.
    pub const LINK: Self = Self {
        accumulators: 1,
        fused64: false,
        flat: None,
    };
}

/// A valid module.
pub fn module(dice: &mut Dice, style: Style) -> Valid {
    let mut make = Generator::new(dice, style);
    let flat = make.style.flat.take();
    let prelude = [make.start(), make.block(2)].concat();
    make.style.flat = flat;
    make.in_body = true;
    let mut body = [make.start(), make.block(3)].concat();
    for own in make.owns() {
        if !make.may_differ(make.elem(own).value_type()) {
            continue;
        }
        let value = make.expr(make.elem(own).value_type(), 4);
        let store = Stmt::Store(own, value);
        body.push(match make.style.flat {
            Some(_) if !make.dice.one_in(8) => make.within(own, store),
            _ => store,
        });
    }
    let module = Module {
        prelude,
        body,
        ..make.module
    };
    validate(module).unwrap_or_else(|e| panic!("the generator made an invalid module: {e}"))
}

/// The module of a seed, and its arguments.
pub fn case(seed: u64, style: Style) -> (Valid, Vec<Arg>) {
    let mut dice = Dice::new(seed);
    let module = module(&mut dice, style);
    let args = arguments(&module, &mut dice);
    (module, args)
}

/// Arguments for a module of this generator.
pub fn arguments(module: &Module, dice: &mut Dice) -> Vec<Arg> {
    let argument = |param: &Param| match param.kind {
        ParamKind::Scalar(ty) => Arg::Scalar(value(ty, dice)),
        ParamKind::Input(elem) | ParamKind::Own(elem) | ParamKind::Accumulator(elem, _) => {
            let bytes = (0..LEN).flat_map(|_| {
                let bits = value(elem.value_type(), dice).bits().to_le_bytes();
                bits.into_iter().take(elem.size() as usize)
            });
            Arg::Slice(bytes.collect())
        }
    };
    module.params.iter().map(argument).collect()
}

/// A value of a type: often one at an edge.
fn value(ty: Type, dice: &mut Dice) -> Value {
    let small = dice.below(9) as i64 - 4;
    let edge = dice.pick(&[
        1 << 7,
        1 << 15,
        1 << 31,
        1 << 32,
        i64::MIN,
        i64::MAX,
        255,
        65535,
    ]);
    let bits = match dice.below(3) {
        0 => small,
        1 => edge.wrapping_add(small),
        _ => dice.bits() as i64,
    };
    let float = match dice.below(4) {
        0 => small as f64 * 0.5,
        1 => dice.pick(&[
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            1e-40,
            3e9,
            1e19,
            f64::MAX,
        ]),
        2 => bits as f64,
        _ => f64::from_bits(dice.bits()),
    };
    match ty {
        Type::Bool => Value::Bool(bits & 1 == 1),
        Type::I32 => Value::I32(bits as i32),
        Type::U32 => Value::U32(bits as u32),
        Type::I64 => Value::I64(bits),
        Type::U64 => Value::U64(bits as u64),
        Type::F32 if dice.one_in(4) => Value::F32(f32::from_bits(bits as u32)),
        Type::F32 => Value::F32(float as f32),
        Type::F64 => Value::F64(float),
    }
}

/// The number of a type, among the prelude's or after them among the body's.
fn numbered(ty: Type, of_body: bool) -> u16 {
    let own = Type::ALL.iter().position(|t| *t == ty).expect("a type");
    let before = if of_body { Type::ALL.len() } else { 0 };
    (before + own) as u16
}

struct Generator<'a> {
    dice: &'a mut Dice,
    style: Style,
    module: Module,
    in_body: bool,
    /// Of flat modules: places that always have two elements before and after them.
    spots: Vec<LocalId>,
    /// Variables of the loops around, which may be read and not assigned.
    held: Vec<LocalId>,
    /// Loops around within the innermost value block.
    loops: u32,
    /// Conditions around.
    conditions: u32,
    /// Operations that may still be made.
    left: u32,
}

impl<'a> Generator<'a> {
    fn new(dice: &'a mut Dice, style: Style) -> Self {
        let mut params = Vec::new();
        let mut param = |kind| {
            params.push(Param {
                name: format!("p{}", params.len()),
                kind,
            });
        };
        for elem in Elem::ALL {
            param(ParamKind::Input(elem));
            param(ParamKind::Own(elem));
        }
        Type::ALL
            .into_iter()
            .for_each(|ty| param(ParamKind::Scalar(ty)));
        let accumulators = ACCUMULATORS.into_iter().zip(AccOp::ALL);
        for (elem, op) in accumulators.take(style.accumulators) {
            param(ParamKind::Accumulator(elem, op));
        }
        let local = |ty| Local {
            name: "l".into(),
            ty,
        };
        let mut locals = vec![local(Type::U64)];
        for ty in Type::ALL.into_iter().chain(Type::ALL) {
            locals.extend((0..LOCALS).map(|_| local(ty)));
        }
        let array = |ty: &Type| Array {
            name: "a".into(),
            ty: *ty,
            len: 5,
        };
        let module = Module {
            name: "random".into(),
            params,
            locals,
            arrays: Type::ALL.iter().chain(&Type::ALL).map(array).collect(),
            prelude: vec![],
            index: INDEX,
            body: vec![],
        };
        let mut this = Self {
            dice,
            style,
            module,
            spots: Vec::new(),
            in_body: false,
            held: vec![INDEX],
            loops: 0,
            conditions: 0,
            left: 250,
        };
        if style.flat.is_some() {
            this.spots = (0..2).map(|_| this.new_local(Type::U64)).collect();
        }
        this
    }

    /// Assigns every local and fills every array of the prelude, or of the body.
    fn start(&mut self) -> Vec<Stmt> {
        let mut all = Vec::new();
        for ty in Type::ALL {
            let first = self.first_local(ty, self.in_body);
            for n in first..first + LOCALS {
                all.push(Stmt::Set(LocalId(n), self.constant(ty)));
            }
            if self.style.flat.is_none() {
                all.push(Stmt::Fill(self.own_array(ty), self.constant(ty)));
            }
        }
        if self.in_body {
            let spots = self.spots.clone();
            all.extend(spots.into_iter().map(|spot| self.set_spot(spot)));
        }
        all
    }

    fn owns(&self) -> Vec<ParamId> {
        let own = |n: &u16| matches!(self.module.params[usize::from(*n)].kind, ParamKind::Own(_));
        let all = 0..self.module.params.len() as u16;
        all.filter(own).map(ParamId).collect()
    }

    fn elem(&self, param: ParamId) -> Elem {
        let kind = self.module.params[usize::from(param.0)].kind;
        kind.elem().expect("only slices are asked for")
    }

    fn first_local(&self, ty: Type, of_body: bool) -> u16 {
        1 + LOCALS * numbered(ty, of_body)
    }

    /// A local of a type that may be assigned here: the body leaves the prelude's alone.
    fn own_local(&mut self, ty: Type) -> LocalId {
        let first = self.first_local(ty, self.in_body);
        LocalId(first + self.dice.below(u64::from(LOCALS)) as u16)
    }

    /// A local of a type that may be read here.
    fn local(&mut self, ty: Type) -> LocalId {
        let of_body = self.in_body && !self.dice.one_in(3);
        let first = self.first_local(ty, of_body);
        LocalId(first + self.dice.below(u64::from(LOCALS)) as u16)
    }

    fn block(&mut self, depth: u32) -> Vec<Stmt> {
        let count = 1 + self.dice.below(4);
        (0..count).map(|_| self.stmt(depth)).collect()
    }

    /// A store where the slice has an element, which may be shorter than the range.
    fn within(&self, own: ParamId, store: Stmt) -> Stmt {
        let index = Box::new(Expr::Local(INDEX));
        let below = Expr::Compare(CmpOp::Lt, index, Box::new(Expr::Len(own)));
        Stmt::If(below, vec![store], vec![])
    }

    /// Whether values of a type may differ from index to index here.
    fn may_differ(&self, ty: Type) -> bool {
        self.style.flat.is_none_or(|types| types.contains(&ty))
    }

    fn some_type(&mut self) -> Type {
        self.dice.pick(self.style.flat.unwrap_or(&Type::ALL))
    }

    fn stmt(&mut self, depth: u32) -> Stmt {
        if self.style.flat.is_some() {
            return self.flat_stmt(depth);
        }
        let ty = self.some_type();
        match self.dice.below(12) {
            0 if depth > 0 => Stmt::If(
                self.expr(Type::Bool, 3),
                self.block(depth - 1),
                if self.dice.one_in(2) {
                    self.block(depth - 1)
                } else {
                    vec![]
                },
            ),
            1 if depth > 0 => self.counted(depth),
            2 if depth > 0 => self.endless(depth),
            3 if self.loops > 0 => Stmt::If(self.expr(Type::Bool, 2), vec![Stmt::Break], vec![]),
            4 if self.loops > 0 => Stmt::If(self.expr(Type::Bool, 2), vec![Stmt::Continue], vec![]),
            5 => Stmt::SetElement(self.own_array(ty), self.index(5, 2), self.expr(ty, 3)),
            6 => Stmt::Fill(self.own_array(ty), self.expr(ty, 2)),
            8 if self.in_body => {
                let n = self.dice.below(self.style.accumulators as u64) as usize;
                let first = 2 * Elem::ALL.len() + Type::ALL.len();
                let ty = ACCUMULATORS[n].value_type();
                let index = self.index(LEN, 2);
                Stmt::Accumulate(ParamId((first + n) as u16), index, self.expr(ty, 3))
            }
            7 if self.in_body && self.loops < 100 => {
                let owns = self.owns();
                let own = self.dice.pick(&owns);
                Stmt::Store(own, self.expr(self.elem(own).value_type(), 3))
            }
            _ => self.set(ty),
        }
    }

    fn flat_stmt(&mut self, depth: u32) -> Stmt {
        match self.dice.below(9) {
            7 if self.conditions == 0 || self.may_differ(Type::U64) => {
                let spots = self.spots.clone();
                let spot = self.dice.pick(&spots);
                self.set_spot(spot)
            }
            8 if depth > 0 && self.conditions == 0 => self.once(depth),
            3 => {
                let rare = Expr::Const(Value::U64(self.dice.below(4 * LEN)));
                let rare = Expr::Compare(CmpOp::Eq, Box::new(self.place()), Box::new(rare));
                let rare = Expr::And(self.boxed(Type::Bool, 2), Box::new(rare));
                Stmt::If(rare, vec![Stmt::Fault], vec![])
            }
            0 if depth > 0 => {
                let condition = self.expr(Type::Bool, 3);
                self.conditions += 1;
                let (yes, no) = (self.fresh(depth - 1), self.block(depth - 1));
                self.conditions -= 1;
                Stmt::If(condition, yes, no)
            }
            1 if depth > 0 && self.conditions == 0 => {
                let var = self.new_local(Type::U64);
                let turns = Expr::Const(Value::U64(self.dice.below(4)));
                let start = self.place();
                let end = Expr::Binary(BinOp::Add, Box::new(start.clone()), Box::new(turns));
                self.held.push(var);
                let body = self.block(depth - 1);
                self.held.pop();
                Stmt::For {
                    var,
                    start,
                    end,
                    body,
                }
            }
            2 => {
                let owns = self.owns();
                let own = self.dice.pick(&owns);
                let ty = self.elem(own).value_type();
                match self.may_differ(ty) {
                    true => Stmt::Store(own, self.expr(ty, 3)),
                    false => self.flat_stmt(depth),
                }
            }
            _ => {
                let ty = self.some_type();
                self.set(ty)
            }
        }
    }

    fn set_spot(&mut self, spot: LocalId) -> Stmt {
        let few = |n| Box::new(Expr::Const(Value::U64(n)));
        let place = match self.may_differ(Type::U64) {
            true => self.place(),
            // It has to count along wherever it is set.
            false => Expr::Binary(
                BinOp::Add,
                Box::new(Expr::Local(INDEX)),
                few(self.dice.below(LEN)),
            ),
        };
        let inner = Expr::Binary(BinOp::Rem, Box::new(place), few(LEN - 4));
        Stmt::Set(spot, Expr::Binary(BinOp::Add, Box::new(inner), few(2)))
    }

    /// Statements that a break leaves early, for all or from some index on.
    fn once(&mut self, depth: u32) -> Stmt {
        let some = Expr::Const(Value::U64(self.dice.below(LEN)));
        let op = self.dice.pick(&CmpOp::ALL);
        let leaves = Expr::Compare(op, Box::new(self.place()), Box::new(some));
        let mut body = self.block(depth - 1);
        let middle = self.dice.below(body.len() as u64 + 1) as usize;
        body.insert(middle, Stmt::If(leaves, vec![Stmt::Break], vec![]));
        body.push(Stmt::Break);
        Stmt::Loop(body)
    }

    /// A local that nothing else assigns.
    fn new_local(&mut self, ty: Type) -> LocalId {
        let name = "fresh".into();
        self.module.locals.push(Local { name, ty });
        LocalId(self.module.locals.len() as u16 - 1)
    }

    /// Statements around a local of their own, as a `let` makes it.
    fn fresh(&mut self, depth: u32) -> Vec<Stmt> {
        let ty = match self.dice.one_in(3) {
            true => Type::U64,
            false => self.some_type(),
        };
        let fresh = self.new_local(ty);
        let first = Stmt::Set(fresh, self.expr(ty, 3));
        let inner = self.block(depth);
        let out = self.first_local(self.some_type_of(ty), true) + 1;
        let read = match self.may_differ(ty) {
            true => Expr::Local(fresh),
            false => Expr::Cast(Type::U32, Box::new(Expr::Local(fresh))),
        };
        let last = Stmt::Set(LocalId(out), read);
        [vec![first], inner, vec![last]].concat()
    }

    /// The type itself if values of it may differ, or else `u32`.
    fn some_type_of(&self, ty: Type) -> Type {
        if self.may_differ(ty) { ty } else { Type::U32 }
    }

    /// A `u64` that counts along with the index, or does not change.
    fn place(&mut self) -> Expr {
        let few = |n| Box::new(Expr::Const(Value::U64(n)));
        let index = match self.dice.below(5) {
            0 => Expr::Local(LocalId(self.first_local(Type::U64, false))),
            1 => Expr::Const(Value::U64(self.dice.below(LEN))),
            _ => Expr::Local(*self.held.last().expect("the index at least")),
        };
        let (index, n) = (Box::new(index), self.dice.below(LEN));
        match self.dice.below(10) {
            0 => Expr::Binary(BinOp::Add, index, few(n)),
            1 => Expr::Binary(BinOp::Sub, index, few(n / 4)),
            // Shorter rows run index by index.
            2 => Expr::Binary(BinOp::Div, index, few(16 + n / 4)),
            3 => Expr::Binary(BinOp::Rem, index, few(16 + n / 4)),
            4 => Expr::Binary(BinOp::Min, index, few(n)),
            5 => Expr::Binary(BinOp::Max, few(n), index),
            6 => {
                let narrow = Expr::Cast(Type::U32, index);
                let start = Expr::Const(Value::U32([0, u32::MAX - 9][n as usize % 2]));
                let moved = Expr::Binary(BinOp::Add, Box::new(narrow), Box::new(start));
                Expr::Cast(Type::U64, Box::new(moved))
            }
            7 => {
                let falling = Expr::Binary(BinOp::Sub, few(2 * LEN), index);
                Expr::Binary(BinOp::Sub, few(3 * LEN), Box::new(falling))
            }
            8 => {
                let start = Box::new(Expr::Const(Value::U32(self.dice.below(2 * LEN) as u32)));
                let narrow = Box::new(Expr::Cast(Type::U32, index));
                let falling = Expr::Binary(BinOp::Sub, start, narrow);
                let falling = Box::new(Expr::Cast(Type::U64, Box::new(falling)));
                Expr::Binary(BinOp::Min, falling, few(n % 16))
            }
            _ => *index,
        }
    }

    fn set(&mut self, ty: Type) -> Stmt {
        let local = self.own_local(ty);
        if self.held.contains(&local) {
            return Stmt::Fill(self.own_array(ty), self.constant(ty));
        }
        Stmt::Set(local, self.expr(ty, 4))
    }

    /// The array of a type that may be changed here.
    fn own_array(&self, ty: Type) -> ArrayId {
        ArrayId(numbered(ty, self.in_body))
    }

    /// An array of a type that may be read here.
    fn array(&mut self, ty: Type) -> ArrayId {
        let of_body = self.in_body && !self.dice.one_in(3);
        ArrayId(numbered(ty, of_body))
    }

    /// A few turns from anywhere.
    fn counted(&mut self, depth: u32) -> Stmt {
        let ty = self.dice.pick(&NUMBERS[..4]);
        let var = self.own_local(ty);
        if self.held.contains(&var) {
            return self.set(Type::Bool);
        }
        let turns = Expr::Const(cast_small(ty, self.dice.below(4)));
        let start = self.expr(ty, 2);
        let end = Expr::Binary(BinOp::Add, Box::new(start.clone()), Box::new(turns));
        let steady = matches!(start, Expr::Const(_) | Expr::Scalar(_));
        let (start, end) = if steady {
            (start, end)
        } else {
            (
                Expr::Const(cast_small(ty, 0)),
                Expr::Const(cast_small(ty, 3)),
            )
        };
        self.held.push(var);
        self.loops += 1;
        let body = self.block(depth - 1);
        self.loops -= 1;
        self.held.pop();
        Stmt::For {
            var,
            start,
            end,
            body,
        }
    }

    /// Ends by fuel that nothing else touches: an element of the last array, set before.
    fn endless(&mut self, depth: u32) -> Stmt {
        self.loops += 1;
        let mut body = self.block(depth - 1);
        self.loops -= 1;
        body.insert(
            0,
            Stmt::If(self.expr(Type::Bool, 2), vec![Stmt::Break], vec![]),
        );
        body.push(Stmt::Break);
        Stmt::Loop(body)
    }

    fn constant(&mut self, ty: Type) -> Expr {
        Expr::Const(value(ty, self.dice))
    }

    /// A place below `len`, seldom beyond it.
    fn index(&mut self, len: u64, depth: u32) -> Expr {
        let any = match self.style.flat {
            Some(_) => self.place(),
            None => self.expr(Type::U64, depth),
        };
        if self.style.flat.is_some() && self.in_body && self.dice.one_in(3) {
            let spots = self.spots.clone();
            let spot = Box::new(Expr::Local(self.dice.pick(&spots)));
            let few = Expr::Const(Value::U64(self.dice.below(3)));
            let op = self.dice.pick(&[BinOp::Add, BinOp::Sub]);
            return Expr::Binary(op, spot, Box::new(few));
        }
        if self.style.flat.is_some() && self.dice.one_in(8) {
            // From the end, the first index perhaps beyond it.
            let len = Expr::Const(Value::U64(LEN - self.dice.below(2)));
            return Expr::Binary(BinOp::Sub, Box::new(len), Box::new(Expr::Local(INDEX)));
        }
        if self.style.flat.is_some() && self.dice.one_in(8) {
            // The last indices may be beyond the end.
            let few = Expr::Const(Value::U64(self.dice.below(3)));
            return Expr::Binary(BinOp::Add, Box::new(Expr::Local(INDEX)), Box::new(few));
        }
        if self.dice.one_in(300) {
            return any;
        }
        let len = Expr::Const(Value::U64(len));
        Expr::Binary(BinOp::Rem, Box::new(any), Box::new(len))
    }

    fn boxed(&mut self, ty: Type, depth: u32) -> Box<Expr> {
        Box::new(self.expr(ty, depth))
    }

    fn expr(&mut self, ty: Type, depth: u32) -> Expr {
        self.left = self.left.saturating_sub(1);
        if !self.may_differ(ty) && ty == Type::U64 {
            return self.place();
        }
        if depth == 0 || self.left == 0 || !self.may_differ(ty) {
            return self.leaf(ty);
        }
        let next = depth - 1;
        match self.dice.below(10) {
            0 => self.leaf(ty),
            1 => Expr::If(
                self.boxed(Type::Bool, next),
                self.boxed(ty, next),
                self.boxed(ty, next),
            ),
            2 => self.value_block(ty, next),
            3 => self.load(ty, next),
            4 if self.style.flat.is_none() => {
                Expr::Element(self.array(ty), Box::new(self.index(5, next)))
            }
            5 if ty != Type::Bool => self.cast(ty, next),
            6 => self.unary(ty, next),
            _ if ty == Type::Bool => self.logical(next),
            _ => self.binary(ty, next),
        }
    }

    fn leaf(&mut self, ty: Type) -> Expr {
        match self.dice.below(4) {
            0 => self.constant(ty),
            1 if ty == Type::U64 && self.in_body => Expr::Local(INDEX),
            1 if ty == Type::U64 => Expr::Len(ParamId(self.dice.below(20) as u16)),
            1 => {
                let first = 2 * Elem::ALL.len();
                let n = Type::ALL.iter().position(|t| *t == ty).expect("a type");
                Expr::Scalar(ParamId((first + n) as u16))
            }
            _ => Expr::Local(self.local(ty)),
        }
    }

    fn value_block(&mut self, ty: Type, depth: u32) -> Expr {
        let (loops, in_body) = (self.loops, self.in_body);
        self.loops = 0;
        let mut stmts = Vec::new();
        for _ in 0..self.dice.below(3) {
            let ty = self.some_type();
            stmts.push(self.set(ty));
        }
        let value = self.boxed(ty, depth);
        (self.loops, self.in_body) = (loops, in_body);
        Expr::Block(stmts, value)
    }

    fn load(&mut self, ty: Type, depth: u32) -> Expr {
        let fits: Vec<_> = (0..Elem::ALL.len() as u16)
            .filter(|n| Elem::ALL[usize::from(*n)].value_type() == ty)
            .collect();
        if fits.is_empty() {
            return self.leaf(ty);
        }
        let n = self.dice.pick(&fits);
        if self.in_body && self.dice.one_in(2) {
            return Expr::LoadOwn(ParamId(2 * n + 1));
        }
        Expr::Load(ParamId(2 * n), Box::new(self.index(LEN, depth)))
    }

    fn cast(&mut self, ty: Type, depth: u32) -> Expr {
        let bits = match ty {
            Type::F32 | Type::F64 => Some(ty.unsigned()),
            Type::U32 => Some(Type::F32),
            Type::U64 => Some(Type::F64),
            _ => None,
        };
        match bits {
            // NaNs are equal, but their bits are not.
            Some(from) if ty.is_float() && self.dice.one_in(3) => {
                Expr::Bits(ty, self.boxed(from, depth))
            }
            _ => {
                let from = self.some_type();
                let from = if ty.is_float() && from == Type::Bool {
                    Type::U32
                } else {
                    from
                };
                Expr::Cast(ty, self.boxed(from, depth))
            }
        }
    }

    fn unary(&mut self, ty: Type, depth: u32) -> Expr {
        let a = self.boxed(ty, depth);
        let op = match ty {
            Type::Bool => UnOp::Not,
            Type::F32 | Type::F64 => self.dice.pick(&[
                UnOp::Neg,
                UnOp::Abs,
                UnOp::Sqrt,
                UnOp::Floor,
                UnOp::Ceil,
                UnOp::Trunc,
                UnOp::Round,
            ]),
            _ if ty.is_signed() && self.dice.one_in(2) => self.dice.pick(&[UnOp::Neg, UnOp::Abs]),
            _ => self
                .dice
                .pick(&[UnOp::Not, UnOp::LeadingZeros, UnOp::CountOnes]),
        };
        Expr::Unary(op, a)
    }

    fn logical(&mut self, depth: u32) -> Expr {
        if self.dice.one_in(8) {
            return Expr::Cast(Type::Bool, self.boxed(Type::Bool, depth));
        }
        let mut ty = self.dice.pick(&NUMBERS);
        while !self.may_differ(ty) && ty != Type::U64 {
            ty = self.dice.pick(&NUMBERS);
        }
        match self.dice.below(4) {
            0 => Expr::And(self.boxed(Type::Bool, depth), self.boxed(Type::Bool, depth)),
            1 => Expr::Or(self.boxed(Type::Bool, depth), self.boxed(Type::Bool, depth)),
            2 => {
                let op = self.dice.pick(&[BinOp::And, BinOp::Or, BinOp::Xor]);
                Expr::Binary(
                    op,
                    self.boxed(Type::Bool, depth),
                    self.boxed(Type::Bool, depth),
                )
            }
            _ => {
                let op = self.dice.pick(&CmpOp::ALL);
                Expr::Compare(op, self.boxed(ty, depth), self.boxed(ty, depth))
            }
        }
    }

    fn binary(&mut self, ty: Type, depth: u32) -> Expr {
        use BinOp::*;
        let a = self.boxed(ty, depth);
        if ty.is_float() {
            let fused = ty == Type::F32 || self.style.fused64;
            if fused && self.dice.one_in(8) {
                return Expr::MulAdd(a, self.boxed(ty, depth), self.boxed(ty, depth));
            }
            let op = self.dice.pick(&[Add, Sub, Mul, Div, Rem, Min, Max, Hypot]);
            return Expr::Binary(op, a, self.boxed(ty, depth));
        }
        let op = self
            .dice
            .pick(&[Add, Sub, Mul, Div, Rem, And, Or, Xor, Shl, Shr, Min, Max]);
        let b = match op {
            Shl | Shr => self.boxed(Type::U32, depth),
            // An odd number of few bits: neither zero nor minus one.
            Div | Rem if !self.dice.one_in(100) => {
                let few = Expr::Binary(
                    And,
                    self.boxed(ty, depth),
                    Box::new(Expr::Const(cast_small(ty, 60))),
                );
                Box::new(Expr::Binary(
                    Or,
                    Box::new(few),
                    Box::new(Expr::Const(cast_small(ty, 1))),
                ))
            }
            _ => self.boxed(ty, depth),
        };
        Expr::Binary(op, a, b)
    }
}

fn cast_small(ty: Type, n: u64) -> Value {
    match ty {
        Type::I32 => Value::I32(n as i32),
        Type::U32 => Value::U32(n as u32),
        Type::I64 => Value::I64(n as i64),
        _ => Value::U64(n),
    }
}
