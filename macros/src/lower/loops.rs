//! Loops, and the ways out of them.

use hotsled_ir::{BinOp, CmpOp, Expr as Ir, LocalId, Stmt as IrStmt, Type, Value};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Block, Expr, ExprForLoop, ExprMethodCall, ExprWhile, Label, Lifetime, Pat};

use super::stmt::Lowered;
use super::{Lower, Name, Typed};
use crate::infer::{Term, Ty};

/// A loop around the statement being lowered.
#[derive(Default)]
pub(super) struct Around {
    label: Option<String>,
    parallel: bool,
    /// `continue` of the parallel loop is used.
    skips: bool,
    /// Says how an inner loop was left for this one: 0 not, 1 `break`, 2 `continue`. The virtual ISA
    /// leaves one loop at a time.
    flag: Option<LocalId>,
    /// Loops further out that statements in this one leave for, by their depth.
    targets: Vec<usize>,
}

/// What a labelled jump sets the flag to.
const BROKEN: u32 = 1;
const CONTINUED: u32 = 2;

/// What an inner `for` runs over: `start + stride * turn` for each `turn` below a count.
struct Turns {
    start: LocalId,
    stride: LocalId,
    count: LocalId,
}

impl Lower<'_> {
    /// The body of the parallel loop. `continue` ends a loop of one turn around it.
    pub(super) fn parallel(&mut self, label: Option<&Label>, body: &Block) -> Lowered {
        self.loops.push(Around {
            label: label.map(|l| l.name.ident.to_string()),
            parallel: true,
            ..Around::default()
        });
        let (mut ir, cpu) = self.block(body);
        let around = self.loops.pop().expect("pushed above");
        reset(&around, &mut ir);
        if around.skips {
            ir.push(IrStmt::Break);
            ir = vec![IrStmt::Loop(ir)];
        }
        (ir, cpu)
    }

    /// A body as a loop's, and what follows the loop for labelled jumps out of it.
    fn in_loop(&mut self, label: Option<&Label>, body: &Block) -> (Lowered, Vec<IrStmt>) {
        self.loops.push(Around {
            label: label.map(|l| l.name.ident.to_string()),
            ..Around::default()
        });
        let (mut ir, cpu) = self.block(body);
        let around = self.loops.pop().expect("pushed above");
        reset(&around, &mut ir);
        let after = around
            .targets
            .iter()
            .flat_map(|t| self.onward(*t))
            .collect();
        ((ir, cpu), after)
    }

    /// After a loop that may have been left for the loop at depth `target`: go on leaving.
    fn onward(&mut self, target: usize) -> Vec<IrStmt> {
        let flag = self.loops[target].flag.expect("set by the jump");
        let is = |op, n| compare(op, Ir::Local(flag), constant(n));
        let here = self.loops.len() - 1;
        if target < here {
            self.loops[here].targets.push(target);
            return vec![IrStmt::If(is(CmpOp::Ne, 0), vec![IrStmt::Break], vec![])];
        }
        let next = if self.loops[target].parallel {
            self.loops[target].skips = true;
            IrStmt::Break
        } else {
            IrStmt::Continue
        };
        vec![
            IrStmt::If(is(CmpOp::Eq, BROKEN), vec![IrStmt::Break], vec![]),
            IrStmt::If(is(CmpOp::Eq, CONTINUED), vec![next], vec![]),
        ]
    }

    /// `break`, with or without a label.
    pub(super) fn break_out(&mut self, expr: &Expr, label: Option<&Lifetime>) -> Lowered {
        let cpu = quote_spanned!(expr.span()=> break #label;);
        let Some(target) = self.target(expr, label) else {
            return Lowered::default();
        };
        if self.loops[target].parallel {
            self.error(
                expr.span(),
                "the parallel loop runs every index and is not left; `continue` skips one",
            );
        }
        if target + 1 == self.loops.len() {
            return (vec![IrStmt::Break], cpu);
        }
        (self.jump(target, BROKEN), cpu)
    }

    /// `continue`, with or without a label.
    pub(super) fn next_turn(&mut self, expr: &Expr, label: Option<&Lifetime>) -> Lowered {
        let cpu = quote_spanned!(expr.span()=> continue #label;);
        let Some(target) = self.target(expr, label) else {
            return Lowered::default();
        };
        if target + 1 < self.loops.len() {
            return (self.jump(target, CONTINUED), cpu);
        }
        let around = &mut self.loops[target];
        around.skips |= around.parallel;
        let ir = if around.parallel {
            IrStmt::Break
        } else {
            IrStmt::Continue
        };
        (vec![ir], cpu)
    }

    /// Depth of the loop that a jump means.
    fn target(&mut self, expr: &Expr, label: Option<&Lifetime>) -> Option<usize> {
        let found = match label {
            None => self.loops.len().checked_sub(1),
            Some(label) => {
                let name = label.ident.to_string();
                self.loops
                    .iter()
                    .rposition(|l| l.label.as_ref() == Some(&name))
            }
        };
        if found.is_none() {
            let help = if self.values > 0 {
                "a block used as a value is not left by a jump; assign a `let mut` in statements"
            } else {
                "there is no loop here to leave"
            };
            self.error(expr.span(), help);
        }
        found
    }

    fn jump(&mut self, target: usize, how: u32) -> Vec<IrStmt> {
        let flag = match self.loops[target].flag {
            Some(flag) => flag,
            None => self.new_local("left", Term::Known(Ty::U32)),
        };
        self.loops[target].flag = Some(flag);
        let innermost = self.loops.last_mut().expect("a jump stands in a loop");
        if !innermost.targets.contains(&target) {
            innermost.targets.push(target);
        }
        vec![IrStmt::Set(flag, constant(how)), IrStmt::Break]
    }

    pub(super) fn endless(&mut self, label: Option<&Label>, body: &Block) -> Lowered {
        let ((body, cpu), after) = self.in_loop(label, body);
        let mut ir = vec![IrStmt::Loop(body)];
        ir.extend(after);
        (ir, quote!(#label loop { #cpu }))
    }

    pub(super) fn while_loop(&mut self, while_loop: &ExprWhile) -> Lowered {
        let label = while_loop.label.as_ref();
        let condition = self.condition(&while_loop.cond);
        let ((body, cpu), after) = self.in_loop(label, &while_loop.body);
        let mut turn = vec![IrStmt::If(condition.ir, vec![], vec![IrStmt::Break])];
        turn.extend(body);
        let mut ir = vec![IrStmt::Loop(turn)];
        ir.extend(after);
        let test = condition.cpu;
        (ir, quote!(#label while #test { #cpu }))
    }

    /// `for k in range`.
    pub(super) fn counted(&mut self, for_loop: &ExprForLoop) -> Lowered {
        let (name, var) = match &*for_loop.pat {
            Pat::Ident(var) if var.mutability.is_none() => {
                (var.ident.to_string(), Some(&var.ident))
            }
            Pat::Wild(_) => ("_".to_owned(), None),
            other => {
                let help = "the variable of an inner loop is a plain name";
                self.error(other.span(), help);
                return Lowered::default();
            }
        };
        let Some(range) = Range::of(&for_loop.expr) else {
            let help = "an inner `for` runs over `a..b` or `a..=b`, with `.rev()` and `.step_by(n)`; \
                        use `while` for anything else";
            self.error(for_loop.expr.span(), help);
            return Lowered::default();
        };
        let (start, end) = (self.value(range.start), self.value(range.end));
        self.unify(start.term, end.term, end.span);
        self.require(&start, "counting in a `for`", Ty::is_integer);
        let term = start.term;
        let ty = self.rust_type(term);
        let (first, last, dots) = (&start.cpu, &end.cpu, range.dots());
        let plain = range.adaptors.is_empty() && !range.inclusive;
        let cpu_range = quote!(((#first) as #ty)#dots((#last) as #ty));
        let (before, turns, cpu_range) = if plain {
            (Vec::new(), None, cpu_range)
        } else {
            let (before, turns, cpu) = self.turns(&range, &start, &end, cpu_range);
            (before, Some(turns), cpu)
        };
        let var_id = self.new_local(&name, term);
        let label = for_loop.label.as_ref();
        if let Some(var) = var {
            self.check_fresh(var);
        }
        let ((body, cpu), after) = self.scoped(|this| {
            if let Some(var) = var {
                this.bind(var, Name::Local(var_id, term, false));
            }
            this.in_loop(label, &for_loop.body)
        });
        let mut ir = before;
        ir.push(match turns {
            None => IrStmt::For {
                var: var_id,
                start: start.ir,
                end: end.ir,
                body,
            },
            Some(turns) => self.over_turns(var_id, term, &turns, body),
        });
        ir.extend(after);
        let pat = &for_loop.pat;
        (ir, quote!(#label for #pat in #cpu_range { #cpu }))
    }

    fn over_turns(&mut self, var: LocalId, term: Term, turns: &Turns, body: Vec<IrStmt>) -> IrStmt {
        let turn = self.new_local("turn", Term::Known(Ty::U64));
        let ty = self.ty(term).ir();
        let steps = binary(
            BinOp::Mul,
            cast(ty, Ir::Local(turn), Type::U64),
            Ir::Local(turns.stride),
        );
        let value = binary(BinOp::Add, Ir::Local(turns.start), steps);
        let mut all = vec![IrStmt::Set(var, value)];
        all.extend(body);
        IrStmt::For {
            var: turn,
            start: Ir::Const(Value::U64(0)),
            end: Ir::Local(turns.count),
            body: all,
        }
    }

    /// Counts the turns of a range with adaptors. All arithmetic wraps, so that the values are right
    /// whatever the type; the count saturates, so that no range is empty by accident.
    fn turns(
        &mut self,
        range: &Range<'_>,
        start: &Typed,
        end: &Typed,
        mut cpu: TokenStream,
    ) -> (Vec<IrStmt>, Turns, TokenStream) {
        let (term, ty) = (start.term, self.ty(start.term).ir());
        let turns = Turns {
            start: self.new_local("start", term),
            stride: self.new_local("stride", term),
            count: self.new_local("count", Term::Known(Ty::U64)),
        };
        let last = self.new_local("end", term);
        let (first, count) = (Ir::Local(turns.start), Ir::Local(turns.count));
        let distance = binary(BinOp::Sub, Ir::Local(last), first.clone());
        let distance = cast(Type::U64, cast(ty.unsigned(), distance, ty), ty.unsigned());
        let (order, distance) = if range.inclusive {
            let below = binary(BinOp::Min, distance, Ir::Const(Value::U64(u64::MAX - 1)));
            (
                CmpOp::Le,
                binary(BinOp::Add, below, Ir::Const(Value::U64(1))),
            )
        } else {
            (CmpOp::Lt, distance)
        };
        let any = compare(order, first, Ir::Local(last));
        let none = Ir::Const(Value::U64(0));
        let mut ir = vec![
            IrStmt::Set(turns.start, start.ir.clone()),
            IrStmt::Set(last, end.ir.clone()),
            IrStmt::Set(turns.stride, cast(ty, Ir::Const(Value::U32(1)), Type::U32)),
            IrStmt::Set(
                turns.count,
                Ir::If(any.into(), distance.into(), none.into()),
            ),
        ];
        cpu = quote!((#cpu));
        for adaptor in &range.adaptors {
            match adaptor.args.first() {
                None => {
                    cpu = quote!(#cpu.rev());
                    ir.extend(reverse(&turns, ty));
                }
                Some(step) => {
                    let step = self.expect(step, Ty::Usize);
                    let by = step.cpu;
                    cpu = quote_spanned!(adaptor.span()=> #cpu.step_by(#by));
                    let by = self.new_local("step", Term::Known(Ty::Usize));
                    ir.push(IrStmt::Set(by, step.ir));
                    ir.extend(step_by(&turns, by, ty, &count));
                }
            }
        }
        (ir, turns, cpu)
    }

    pub fn condition(&mut self, expr: &Expr) -> Typed {
        if let Expr::Let(pattern) = expr {
            self.error(
                pattern.span(),
                "`if let` and `while let` are not in the section language; compare values",
            );
            return Typed {
                term: Term::Known(Ty::Bool),
                ..self.poison(pattern.span())
            };
        }
        self.expect(expr, Ty::Bool)
    }
}

/// Every turn of a loop that labelled jumps lead to starts with its flag down.
fn reset(around: &Around, body: &mut Vec<IrStmt>) {
    if let Some(flag) = around.flag {
        body.insert(0, IrStmt::Set(flag, constant(0)));
    }
}

/// The last turn first: `start + (count - 1) * stride`, backwards.
fn reverse(turns: &Turns, ty: Type) -> Vec<IrStmt> {
    let (start, stride) = (Ir::Local(turns.start), Ir::Local(turns.stride));
    let one = Ir::Const(Value::U64(1));
    let last = binary(BinOp::Sub, Ir::Local(turns.count), one);
    let offset = binary(BinOp::Mul, cast(ty, last, Type::U64), stride.clone());
    let zero = cast(ty, Ir::Const(Value::U32(0)), Type::U32);
    vec![
        IrStmt::Set(turns.start, binary(BinOp::Add, start, offset)),
        IrStmt::Set(turns.stride, binary(BinOp::Sub, zero, stride)),
    ]
}

/// Every n-th turn: `(count - 1) / n + 1` of them, if any. A step of zero panics.
fn step_by(turns: &Turns, step: LocalId, ty: Type, count: &Ir) -> Vec<IrStmt> {
    let by = || Ir::Local(step);
    let number = |n| Ir::Const(Value::U64(n));
    let before = binary(BinOp::Sub, count.clone(), number(1));
    let fewer = binary(BinOp::Add, binary(BinOp::Div, before, by()), number(1));
    let none = compare(CmpOp::Eq, count.clone(), number(0));
    let fewer = Ir::If(none.into(), number(0).into(), fewer.into());
    let stride = binary(
        BinOp::Mul,
        Ir::Local(turns.stride),
        cast(ty, by(), Type::U64),
    );
    let zero = compare(CmpOp::Eq, by(), number(0));
    vec![
        IrStmt::If(zero, vec![IrStmt::Fault], vec![]),
        IrStmt::Set(turns.count, fewer),
        IrStmt::Set(turns.stride, stride),
    ]
}

/// `(a..b).rev().step_by(n)`, taken apart.
struct Range<'a> {
    start: &'a Expr,
    end: &'a Expr,
    inclusive: bool,
    /// In the order in which they are applied.
    adaptors: Vec<&'a ExprMethodCall>,
}

impl<'a> Range<'a> {
    fn of(expr: &'a Expr) -> Option<Self> {
        match expr {
            Expr::Paren(paren) => Self::of(&paren.expr),
            Expr::Range(range) => Some(Self {
                start: range.start.as_deref()?,
                end: range.end.as_deref()?,
                inclusive: matches!(range.limits, syn::RangeLimits::Closed(_)),
                adaptors: Vec::new(),
            }),
            Expr::MethodCall(call) => {
                let known = (call.method == "rev" && call.args.is_empty())
                    || (call.method == "step_by" && call.args.len() == 1);
                let mut range = Self::of(&call.receiver).filter(|_| known)?;
                range.adaptors.push(call);
                Some(range)
            }
            _ => None,
        }
    }

    fn dots(&self) -> TokenStream {
        if self.inclusive {
            quote!(..=)
        } else {
            quote!(..)
        }
    }
}

pub(super) fn constant(n: u32) -> Ir {
    Ir::Const(Value::U32(n))
}

pub(super) fn compare(op: CmpOp, a: Ir, b: Ir) -> Ir {
    Ir::Compare(op, Box::new(a), Box::new(b))
}

pub(super) fn binary(op: BinOp, a: Ir, b: Ir) -> Ir {
    Ir::Binary(op, Box::new(a), Box::new(b))
}

fn cast(to: Type, a: Ir, from: Type) -> Ir {
    if to == from {
        a
    } else {
        Ir::Cast(to, Box::new(a))
    }
}
