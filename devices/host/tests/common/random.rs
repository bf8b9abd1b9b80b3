//! Random modules: well-typed, of every construct, that end. A seed names one.

use hotsled_ir::{
    BinOp, CmpOp, Elem, Expr, Local, LocalId, Module, Param, ParamId, ParamKind, Stmt, Type, UnOp,
    Valid, Value, interp, validate,
};

use super::Dice;
use super::operators::{NUMBERS, hurtful, slice};

const TYPES: [Type; 7] = [
    Type::Bool,
    Type::F32,
    Type::F64,
    Type::I32,
    Type::U32,
    Type::I64,
    Type::U64,
];
const ELEMS: [Elem; 10] = [
    Elem::F32,
    Elem::I32,
    Elem::U32,
    Elem::U8,
    Elem::F64,
    Elem::I64,
    Elem::U64,
    Elem::I8,
    Elem::U16,
    Elem::I16,
];
/// Elements of every slice.
pub const LEN: u64 = 67;
/// Variables of each type that are assigned at the start.
const EACH: usize = 2;

struct Random {
    dice: Dice,
    params: Vec<ParamKind>,
    locals: Vec<Local>,
    /// Variables of the loops around, which may be read and not assigned.
    held: Vec<LocalId>,
    depth: usize,
    /// Loops around, within the innermost block of an expression.
    loops: usize,
    in_value: bool,
}

/// A module and arguments for it.
pub fn module(seed: u64) -> (Valid, Vec<interp::Arg>) {
    let mut random = Random {
        dice: Dice::new(seed),
        params: Vec::new(),
        locals: vec![Local {
            name: "i".into(),
            ty: Type::U64,
        }],
        held: Vec::new(),
        depth: 0,
        loops: 0,
        in_value: false,
    };
    let (module, args) = (random.module(), random.args());
    (validate(module).unwrap(), args)
}

fn boxed(e: Expr) -> Box<Expr> {
    Box::new(e)
}

impl Random {
    fn module(&mut self) -> Module {
        for _ in 0..2 + self.dice.below(4) {
            let (ty, input, own) = (
                self.dice.pick(&TYPES),
                self.dice.pick(&ELEMS),
                self.dice.pick(&ELEMS),
            );
            let kinds = [
                ParamKind::Scalar(ty),
                ParamKind::Input(input),
                ParamKind::Own(own),
            ];
            self.params.extend(kinds);
        }
        let mut body: Vec<_> = TYPES
            .repeat(EACH)
            .into_iter()
            .map(|ty| self.start(ty))
            .collect();
        // Of the prelude, and never assigned again: indices are independent.
        let prelude = TYPES.map(|ty| {
            let stmt = self.start(ty);
            self.held.push(LocalId(self.locals.len() as u16 - 1));
            stmt
        });
        self.held.push(LocalId(0));
        let count = 2 + self.dice.below(5);
        body.extend((0..count).map(|_| self.stmt()).collect::<Vec<_>>());
        for own in self.of(|k| matches!(k, ParamKind::Own(_))) {
            body.push(self.store(own));
        }
        let param = |kind: &ParamKind| Param {
            name: "p".into(),
            kind: *kind,
        };
        Module {
            name: "random".into(),
            params: self.params.iter().map(param).collect(),
            locals: std::mem::take(&mut self.locals),
            arrays: vec![],
            prelude: prelude.into(),
            index: LocalId(0),
            body,
        }
    }

    fn start(&mut self, ty: Type) -> Stmt {
        let id = self.local(ty);
        Stmt::Set(id, Expr::Const(constant(&mut self.dice, ty)))
    }

    fn args(&mut self) -> Vec<interp::Arg> {
        let dice = &mut self.dice;
        let arg = |kind: &ParamKind| match *kind {
            ParamKind::Input(elem) | ParamKind::Own(elem) => {
                let values = hurtful(elem.value_type());
                slice(elem, (0..LEN).map(|_| dice.pick(&values)))
            }
            ParamKind::Scalar(ty) => interp::Arg::Scalar(constant(dice, ty)),
            #[allow(unreachable_patterns)] // the virtual ISA grows
            _ => unreachable!("not generated"),
        };
        self.params.iter().map(arg).collect()
    }

    fn local(&mut self, ty: Type) -> LocalId {
        self.locals.push(Local {
            name: "l".into(),
            ty,
        });
        LocalId(self.locals.len() as u16 - 1)
    }

    fn of(&self, wanted: impl Fn(ParamKind) -> bool) -> Vec<ParamId> {
        (0..self.params.len())
            .filter(|n| wanted(self.params[*n]))
            .map(|n| ParamId(n as u16))
            .collect()
    }

    fn value_type(&self, id: ParamId) -> Type {
        match self.params[usize::from(id.0)] {
            ParamKind::Scalar(ty) => ty,
            ParamKind::Input(elem) | ParamKind::Own(elem) => elem.value_type(),
            #[allow(unreachable_patterns)] // the virtual ISA grows
            _ => unreachable!("not generated"),
        }
    }

    fn store(&mut self, id: ParamId) -> Stmt {
        Stmt::Store(id, self.expr(self.value_type(id)))
    }

    fn block(&mut self) -> Vec<Stmt> {
        let count = self.dice.below(3);
        (0..count).map(|_| self.stmt()).collect()
    }

    fn stmt(&mut self) -> Stmt {
        self.depth += 1;
        let kind = if self.depth > 3 {
            self.dice.below(4)
        } else {
            self.dice.below(9)
        };
        let stmt = match kind {
            0 if self.loops > 0 => Stmt::If(self.expr(Type::Bool), vec![Stmt::Break], vec![]),
            1 if self.loops > 0 => {
                Stmt::If(self.expr(Type::Bool), self.block(), vec![Stmt::Continue])
            }
            2 if !self.in_value => {
                let own = self.of(|k| matches!(k, ParamKind::Own(_)));
                let own = self.dice.pick(&own);
                self.store(own)
            }
            4 | 5 => Stmt::If(self.expr(Type::Bool), self.block(), self.block()),
            6 => self.counted(),
            7 => self.endless(),
            _ => {
                let ty = self.dice.pick(&TYPES);
                let ids: Vec<_> = self
                    .readable(ty)
                    .filter(|id| !self.held.contains(id))
                    .collect();
                Stmt::Set(self.dice.pick(&ids), self.expr(ty))
            }
        };
        self.depth -= 1;
        stmt
    }

    /// The locals of the start, and the variables of the loops around.
    fn readable(&self, ty: Type) -> impl Iterator<Item = LocalId> {
        let started = (1..=(EACH * TYPES.len()) as u16).map(LocalId);
        let all = started.chain(self.held.iter().copied());
        let ids = all.filter(|id| self.locals[usize::from(id.0)].ty == ty);
        ids.collect::<Vec<_>>().into_iter()
    }

    fn counted(&mut self) -> Stmt {
        let ty = self
            .dice
            .pick(&[Type::I32, Type::U32, Type::I64, Type::U64]);
        let var = self.local(ty);
        let at = |v: i32| Expr::Cast(ty, boxed(Expr::Const(Value::I32(v))));
        let (start, end) = (self.dice.below(4) as i32, self.dice.below(6) as i32);
        self.held.push(var);
        self.loops += 1;
        let body = self.block();
        self.loops -= 1;
        self.held.pop();
        Stmt::For {
            var,
            start: at(start),
            end: at(end),
            body,
        }
    }

    /// Counts its turns first, so that it ends whatever follows.
    fn endless(&mut self) -> Stmt {
        let turns = self.local(Type::U32);
        let one = Expr::Const(Value::U32(1));
        let next = Expr::Binary(BinOp::Add, boxed(Expr::Local(turns)), boxed(one));
        let enough = Expr::Compare(
            CmpOp::Gt,
            boxed(Expr::Local(turns)),
            boxed(Expr::Const(Value::U32(3))),
        );
        self.loops += 1;
        let mut body = vec![
            Stmt::Set(turns, next),
            Stmt::If(enough, vec![Stmt::Break], vec![]),
        ];
        body.extend(self.block());
        self.loops -= 1;
        let start = Stmt::Set(turns, Expr::Const(Value::U32(0)));
        Stmt::If(
            Expr::Const(Value::Bool(true)),
            vec![start, Stmt::Loop(body)],
            vec![],
        )
    }

    fn expr(&mut self, ty: Type) -> Expr {
        self.depth += 1;
        let e = if self.depth > 6 {
            self.leaf(ty)
        } else {
            self.any(ty)
        };
        self.depth -= 1;
        e
    }

    fn leaf(&mut self, ty: Type) -> Expr {
        let scalars = self.of(|k| k == ParamKind::Scalar(ty));
        let own = self.of(|k| matches!(k, ParamKind::Own(e) if e.value_type() == ty));
        match self.dice.below(5) {
            0 => Expr::Const(constant(&mut self.dice, ty)),
            1 if !scalars.is_empty() => Expr::Scalar(self.dice.pick(&scalars)),
            2 if !own.is_empty() => Expr::LoadOwn(self.dice.pick(&own)),
            3 if ty == Type::U64 => {
                let slices = self.of(|k| !matches!(k, ParamKind::Scalar(_)));
                Expr::Len(self.dice.pick(&slices))
            }
            _ => {
                let ids: Vec<_> = self.readable(ty).collect();
                Expr::Local(self.dice.pick(&ids))
            }
        }
    }

    fn any(&mut self, ty: Type) -> Expr {
        let inputs = self.of(|k| matches!(k, ParamKind::Input(e) if e.value_type() == ty));
        match self.dice.below(10) {
            0 => self.leaf(ty),
            1 if !inputs.is_empty() => {
                let input = self.dice.pick(&inputs);
                let index = self.expr(Type::U64);
                let len = boxed(Expr::Len(input));
                Expr::Load(input, boxed(Expr::Binary(BinOp::Rem, boxed(index), len)))
            }
            2 => Expr::If(
                boxed(self.expr(Type::Bool)),
                boxed(self.expr(ty)),
                boxed(self.expr(ty)),
            ),
            3 => self.value_block(ty),
            4 | 5 if ty != Type::Bool => self.cast(ty),
            6 => self.unary(ty),
            _ if ty == Type::Bool => self.truth(),
            _ => self.binary(ty),
        }
    }

    fn value_block(&mut self, ty: Type) -> Expr {
        let before = (
            std::mem::replace(&mut self.in_value, true),
            std::mem::take(&mut self.loops),
        );
        let stmts = self.block();
        (self.in_value, self.loops) = before;
        Expr::Block(stmts, boxed(self.expr(ty)))
    }

    fn cast(&mut self, to: Type) -> Expr {
        let float = matches!(to, Type::F32 | Type::F64);
        let from = if float {
            self.dice.pick(&NUMBERS)
        } else {
            self.dice.pick(&TYPES)
        };
        Expr::Cast(to, boxed(self.expr(from)))
    }

    fn unary(&mut self, ty: Type) -> Expr {
        use UnOp::*;
        let op = match ty {
            Type::F32 | Type::F64 => self.dice.pick(&[Neg, Abs, Sqrt, Floor, Ceil, Trunc, Round]),
            Type::I32 | Type::I64 => self.dice.pick(&[Neg, Abs, Not]),
            _ => Not,
        };
        Expr::Unary(op, boxed(self.expr(ty)))
    }

    fn truth(&mut self) -> Expr {
        let mut pair = |ty| (boxed(self.expr(ty)), boxed(self.expr(ty)));
        let (a, b) = pair(Type::Bool);
        match self.dice.below(6) {
            0 => Expr::And(a, b),
            1 => Expr::Or(a, b),
            2 => Expr::Binary(self.dice.pick(&[BinOp::And, BinOp::Or, BinOp::Xor]), a, b),
            3 => Expr::Compare(self.dice.pick(&[CmpOp::Eq, CmpOp::Ne]), a, b),
            _ => {
                use CmpOp::*;
                let (ty, op) = (
                    self.dice.pick(&NUMBERS),
                    self.dice.pick(&[Eq, Ne, Lt, Le, Gt, Ge]),
                );
                Expr::Compare(op, boxed(self.expr(ty)), boxed(self.expr(ty)))
            }
        }
    }

    fn binary(&mut self, ty: Type) -> Expr {
        use BinOp::*;
        let float = matches!(ty, Type::F32 | Type::F64);
        let op = if float {
            self.dice.pick(&[Add, Sub, Mul, Div, Rem, Min, Max, Hypot])
        } else {
            self.dice
                .pick(&[Add, Sub, Mul, Div, Rem, And, Or, Xor, Shl, Shr, Min, Max])
        };
        let a = boxed(self.expr(ty));
        let b = match op {
            Shl | Shr => boxed(self.expr(Type::U32)),
            Div | Rem if !float && self.dice.below(8) > 0 => {
                let three = Expr::Cast(ty, boxed(Expr::Const(Value::I32(3))));
                boxed(Expr::Binary(Or, boxed(self.expr(ty)), boxed(three)))
            }
            _ => boxed(self.expr(ty)),
        };
        Expr::Binary(op, a, b)
    }
}

fn constant(dice: &mut Dice, ty: Type) -> Value {
    let bits = if ty == Type::Bool {
        dice.bits() & 1
    } else {
        dice.pick(&hurtful(ty))
    };
    match ty {
        Type::Bool => Value::Bool(bits != 0),
        Type::I32 => Value::I32(bits as i32),
        Type::U32 => Value::U32(bits as u32),
        Type::I64 => Value::I64(bits as i64),
        Type::U64 => Value::U64(bits),
        Type::F32 => Value::F32(f32::from_bits(bits as u32)),
        Type::F64 => Value::F64(f64::from_bits(bits)),
    }
}
