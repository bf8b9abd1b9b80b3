//! `match` on integers and bools.

use hotsled_ir::{CmpOp, Expr as Ir, LocalId, Stmt as IrStmt, Value};
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Arm, Expr, ExprMatch, Lit, Pat, RangeLimits};

use super::loops::compare;
use super::stmt::Lowered;
use super::{Lower, Typed};
use crate::infer::{Term, Ty};

/// The matched value, in a local of its own.
struct Subject {
    id: LocalId,
    term: Term,
    set: IrStmt,
    cpu: TokenStream,
}

/// When an arm is taken; `None`: always.
type Test = Option<Ir>;

impl Lower<'_> {
    /// `match` as a statement.
    pub(super) fn match_stmt(&mut self, found: &ExprMatch) -> Lowered {
        self.match_arms(found, |this, body| this.effect(body))
    }

    /// `match` whose arms are statements, or evaluate into places that they know.
    pub(super) fn match_arms(
        &mut self,
        found: &ExprMatch,
        mut lower: impl FnMut(&mut Self, &Expr) -> Lowered,
    ) -> Lowered {
        let subject = self.subject(&found.expr);
        let mut arms = Vec::new();
        for arm in &found.arms {
            let (test, head) = self.arm(&subject, arm);
            let (ir, cpu) = self.scoped(|this| lower(this, &arm.body));
            arms.push((test, ir, quote!(#head { #cpu })));
        }
        let cpus: Vec<_> = arms.iter().map(|(_, _, cpu)| cpu.clone()).collect();
        let mut otherwise = Vec::new();
        for (n, (test, ir, _)) in arms.into_iter().enumerate().rev() {
            otherwise = match test {
                Some(test) if n + 1 < cpus.len() => vec![IrStmt::If(test, ir, otherwise)],
                _ => ir, // the compiler sees to it that the last arm takes what is left
            };
        }
        let value = subject.cpu;
        let mut ir = vec![subject.set];
        ir.extend(otherwise);
        (ir, quote!(match #value { #(#cpus)* }))
    }

    /// `match` as a value.
    pub(super) fn match_value(&mut self, found: &ExprMatch) -> Typed {
        let span = found.span();
        let subject = self.subject(&found.expr);
        let mut arms: Vec<(Test, Typed, TokenStream)> = Vec::new();
        for arm in &found.arms {
            let (test, head) = self.arm(&subject, arm);
            let value = self.arm_value(&arm.body);
            if let Some((_, first, _)) = arms.first() {
                self.unify(first.term, value.term, value.span);
            }
            let cpu = &value.cpu;
            let cpu = quote!(#head { #cpu });
            arms.push((test, value, cpu));
        }
        let cpus: Vec<_> = arms.iter().map(|(_, _, cpu)| cpu.clone()).collect();
        let mut value: Option<(Ir, Term)> = None;
        for (test, arm, _) in arms.into_iter().rev() {
            value = Some(match (test, value) {
                (Some(test), Some((rest, term))) => {
                    (Ir::If(test.into(), arm.ir.into(), rest.into()), term)
                }
                _ => (arm.ir, arm.term),
            });
        }
        let Some((ir, term)) = value else {
            self.error(span, "a `match` in a section has an arm at least");
            return self.poison(span);
        };
        let of = subject.cpu;
        Typed {
            term,
            ir: Ir::Block(vec![subject.set], Box::new(ir)),
            cpu: quote!((match #of { #(#cpus)* })),
            span,
        }
    }

    fn arm_value(&mut self, body: &Expr) -> Typed {
        match body {
            Expr::Block(block) if block.label.is_none() => {
                self.value_block(&block.block, body.span())
            }
            other => self.value_alone(other),
        }
    }

    fn subject(&mut self, expr: &Expr) -> Subject {
        let value = self.value(expr);
        self.require(&value, "`match`", |t| {
            t.is_integer() || t.is_storage() || t == Ty::Bool
        });
        let id = self.new_local("matched", value.term);
        let ty = self.rust_type(value.term);
        let cpu = value.cpu;
        Subject {
            id,
            term: value.term,
            set: IrStmt::Set(id, value.ir),
            cpu: quote!(((#cpu) as #ty)),
        }
    }

    /// When an arm is taken, and its head `pattern if guard =>` as CPU code.
    fn arm(&mut self, subject: &Subject, arm: &Arm) -> (Test, TokenStream) {
        let Pat::Guard(guarded) = &arm.pat else {
            let (test, pattern) = self.pattern(subject, &arm.pat);
            return (test, quote!(#pattern =>));
        };
        let (test, pattern) = self.pattern(subject, &guarded.pat);
        let guard = self.condition(&guarded.guard);
        let cpu = guard.cpu;
        let both = match test {
            Some(test) => Ir::And(test.into(), guard.ir.into()),
            None => guard.ir,
        };
        (Some(both), quote!(#pattern if #cpu =>))
    }

    fn pattern(&mut self, subject: &Subject, pat: &Pat) -> (Test, TokenStream) {
        let value = || Ir::Local(subject.id);
        match pat {
            Pat::Wild(wild) => (None, quote!(#wild)),
            Pat::Paren(paren) => self.pattern(subject, &paren.pat),
            Pat::Or(or) => {
                let mut any: Option<Test> = None;
                let mut cpus = Vec::new();
                for case in &or.cases {
                    let (test, cpu) = self.pattern(subject, case);
                    cpus.push(cpu);
                    any = Some(match (any, test) {
                        (None, test) => test,
                        (Some(Some(a)), Some(b)) => Some(Ir::Or(a.into(), b.into())),
                        _ => None,
                    });
                }
                (any.flatten(), quote!(#(#cpus)|*))
            }
            Pat::Range(range) => {
                let closed = matches!(range.limits, RangeLimits::Closed(_));
                let upper = if closed { CmpOp::Le } else { CmpOp::Lt };
                let low = range.start.as_deref().map(|e| self.bound(subject, e));
                let high = range.end.as_deref().map(|e| self.bound(subject, e));
                let dots = if closed { quote!(..=) } else { quote!(..) };
                let (first, last) = (low.as_ref().map(|b| &b.1), high.as_ref().map(|b| &b.1));
                let cpu = quote!(#first #dots #last);
                let above = low.map(|(ir, _)| compare(CmpOp::Ge, value(), ir));
                let below = high.map(|(ir, _)| compare(upper, value(), ir));
                let test = match (above, below) {
                    (Some(a), Some(b)) => Some(Ir::And(a.into(), b.into())),
                    (a, b) => a.or(b),
                };
                (test, cpu)
            }
            Pat::Lit(lit) => self.equal(subject, &Expr::Lit(lit.clone())),
            Pat::Path(path) => self.equal(subject, &Expr::Path(path.clone())),
            other => {
                let help = "a pattern in a section is a number, a bool, a range `a..=b`, `_`, or several with `|`";
                self.error(other.span(), help);
                (None, quote!(_))
            }
        }
    }

    fn equal(&mut self, subject: &Subject, expr: &Expr) -> (Test, TokenStream) {
        let (ir, cpu) = self.bound(subject, expr);
        (Some(compare(CmpOp::Eq, Ir::Local(subject.id), ir)), cpu)
    }

    /// A literal of a pattern.
    fn bound(&mut self, subject: &Subject, expr: &Expr) -> (Ir, TokenStream) {
        let literal = match expr {
            Expr::Lit(lit) => matches!(lit.lit, Lit::Int(_) | Lit::Bool(_)),
            Expr::Unary(unary) => {
                matches!(&*unary.expr, Expr::Lit(lit) if matches!(lit.lit, Lit::Int(_)))
            }
            Expr::Path(path) => self.associated(&path.path).is_some(),
            _ => false,
        };
        if !literal {
            let help = "a pattern in a section holds plain numbers; compare with `if` instead";
            self.error(expr.span(), help);
            return (Ir::Const(Value::I32(0)), quote!(_));
        }
        let value = self.value(expr);
        self.unify(subject.term, value.term, value.span);
        (value.ir, value.cpu)
    }

    /// An expression as the value of a branch: what it jumps to or assigns is its own affair.
    fn value_alone(&mut self, expr: &Expr) -> Typed {
        let loops = std::mem::take(&mut self.loops);
        self.values += 1;
        let typed = self.value(expr);
        self.values -= 1;
        self.loops = loops;
        typed
    }
}
