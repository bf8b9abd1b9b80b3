//! Accumulators: atomics that sections only combine with.

use hotsled_ir::{AccOp, BinOp, Expr as Ir, ParamId, Stmt as IrStmt, Type, Value};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, ExprIndex, ExprMethodCall, Ident};

use super::loops::binary;
use super::stmt::Lowered;
use super::{Lower, Name};
use crate::infer::{Term, Ty};
use crate::parse::Kind;

const METHODS: [(&str, AccOp); 7] = [
    ("fetch_add", AccOp::Add),
    ("fetch_sub", AccOp::Add),
    ("fetch_min", AccOp::Min),
    ("fetch_max", AccOp::Max),
    ("fetch_and", AccOp::And),
    ("fetch_or", AccOp::Or),
    ("fetch_xor", AccOp::Xor),
];

impl Lower<'_> {
    /// The accumulator that an expression names: its parameter, integer type and name.
    pub(super) fn accumulator(&self, expr: &Expr) -> Option<(usize, Ty, Ident)> {
        let Expr::Path(path) = expr else { return None };
        let name = path.path.get_ident()?;
        match self.lookup(name)? {
            Name::Param(n) => match self.params[n].kind {
                Kind::Accumulator(ty) => Some((n, ty, name.clone())),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a call is `counts[k].method(..)` of an accumulator.
    pub(super) fn is_accumulated(&self, call: &ExprMethodCall) -> bool {
        matches!(&*call.receiver, Expr::Index(index) if self.accumulator(&index.expr).is_some())
    }

    /// `counts[k].fetch_add(1, Relaxed);`
    pub(super) fn accumulate(&mut self, call: &ExprMethodCall) -> Lowered {
        let Expr::Index(index) = &*call.receiver else {
            unreachable!("an accumulator's element")
        };
        let (param, ty, name) = self
            .accumulator(&index.expr)
            .expect("an accumulator's element");
        let method = call.method.to_string();
        let Some((_, op)) = METHODS.iter().find(|(name, _)| *name == method) else {
            self.error(
                call.method.span(),
                "an accumulator is combined with by `fetch_add`, `fetch_sub`, `fetch_min`, `fetch_max`, \
                 `fetch_and`, `fetch_or` or `fetch_xor`, and never read in a section",
            );
            return Lowered::default();
        };
        self.one_operation(param, *op, call);
        self.place_of_effect(call);
        self.combination(param, ty, &name, index, call)
    }

    fn combination(
        &mut self,
        param: usize,
        ty: Ty,
        name: &Ident,
        index: &ExprIndex,
        call: &ExprMethodCall,
    ) -> Lowered {
        let at = self.expect(&index.index, Ty::Usize);
        let mut args = call.args.iter();
        let (Some(value), Some(order), None) = (args.next(), args.next(), args.next()) else {
            let help = "it takes a value and `Ordering::Relaxed`";
            self.error(call.method.span(), help);
            return Lowered::default();
        };
        if !is_relaxed(order) {
            self.error(
                order.span(),
                "an accumulator has no order: `Ordering::Relaxed`",
            );
        }
        let value = self.value(value);
        self.unify(Term::Known(ty), value.term, value.span);
        let (place, given, method) = (at.cpu, value.cpu, &call.method);
        let value = if method == "fetch_sub" {
            binary(BinOp::Sub, Ir::Const(zero(ty)), value.ir)
        } else {
            value.ir
        };
        let ir = vec![IrStmt::Accumulate(ParamId(param as u16), at.ir, value)];
        (
            ir,
            quote_spanned!(call.span()=> #name[#place].#method(#given, #order);),
        )
    }

    /// Operations do not mix: a device gathers by one.
    fn one_operation(&mut self, param: usize, op: AccOp, call: &ExprMethodCall) {
        let first = *self.accumulators.entry(param).or_insert(op);
        if first != op {
            let help = "one accumulator has one operation; take a second one for this";
            self.error(call.method.span(), help);
        }
    }

    fn place_of_effect(&mut self, call: &ExprMethodCall) {
        if !self.in_body {
            let help = "accumulators are combined with only inside the parallel loop";
            self.error(call.span(), help);
        } else if self.values > 0 {
            let help =
                "accumulators are not combined with inside an expression; make it a statement";
            self.error(call.span(), help);
        }
    }
}

fn is_relaxed(order: &Expr) -> bool {
    matches!(order, Expr::Path(path) if path.path.segments.last().is_some_and(|s| s.ident == "Relaxed"))
}

fn zero(ty: Ty) -> Value {
    match ty.ir() {
        Type::I32 => Value::I32(0),
        Type::I64 => Value::I64(0),
        Type::U64 => Value::U64(0),
        _ => Value::U32(0),
    }
}
