//! Method calls.

use hotsled_ir::{BinOp, CmpOp, Expr as Ir, Stmt as IrStmt, UnOp};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall};

use super::{Lower, Typed, stmt::len_name};
use crate::infer::{Term, Ty};
use crate::parse::Kind;

const KNOWN: &str = "min, max, clamp, abs, sqrt, floor, ceil, round, trunc, hypot, wrapping_add, wrapping_sub, wrapping_mul and len";

impl Lower<'_> {
    /// A method call.
    pub fn method(&mut self, call: &ExprMethodCall) -> Typed {
        let name = call.method.to_string();
        if name == "len" {
            return self.len(call);
        }
        let arity = match name.as_str() {
            "abs" | "sqrt" | "floor" | "ceil" | "round" | "trunc" => 0,
            "min" | "max" | "hypot" | "wrapping_add" | "wrapping_sub" | "wrapping_mul" => 1,
            "clamp" => 2,
            _ => {
                self.error(
                    call.method.span(),
                    format!("`.{name}()` is not in the section language, which has {KNOWN}"),
                );
                return self.poison(call.span());
            }
        };
        if call.args.len() != arity {
            self.error(
                call.method.span(),
                format!("`.{name}()` takes {arity} argument(s)"),
            );
            return self.poison(call.span());
        }
        let receiver = self.value(&call.receiver);
        let args: Vec<_> = call.args.iter().map(|arg| self.value(arg)).collect();
        for arg in &args {
            self.unify(receiver.term, arg.term, arg.span);
        }
        self.known_method(call, &name, receiver, args)
    }

    fn known_method(
        &mut self,
        call: &ExprMethodCall,
        name: &str,
        a: Typed,
        args: Vec<Typed>,
    ) -> Typed {
        let has: fn(Ty) -> bool = match name {
            "min" | "max" | "clamp" => |t| t.is_float() || t.is_integer(),
            "abs" => |t| t.is_float() || t.is_signed(),
            "wrapping_add" | "wrapping_sub" | "wrapping_mul" => Ty::is_integer,
            _ => Ty::is_float,
        };
        self.require(&a, &format!("`.{name}()`"), has);
        let span = call.span();
        let mut args = args.into_iter();
        match (args.next(), args.next()) {
            (None, _) => self.unary_method(name, a, span),
            (Some(b), None) => self.binary_method(name, a, b, span),
            (Some(low), Some(high)) => self.clamp(a, low, high, span),
        }
    }

    fn unary_method(&mut self, name: &str, a: Typed, span: proc_macro2::Span) -> Typed {
        let op = match name {
            "abs" => UnOp::Abs,
            "sqrt" => UnOp::Sqrt,
            "floor" => UnOp::Floor,
            "ceil" => UnOp::Ceil,
            "trunc" => UnOp::Trunc,
            _ => UnOp::Round,
        };
        let wraps = name == "abs" && self.ty(a.term).is_signed();
        let method = syn::Ident::new(if wraps { "wrapping_abs" } else { name }, span);
        let (ty, value) = (self.rust_type(a.term), a.cpu);
        Typed {
            term: a.term,
            ir: Ir::Unary(op, Box::new(a.ir)),
            cpu: quote!(<#ty>::#method(#value)),
            span,
        }
    }

    fn binary_method(&mut self, name: &str, a: Typed, b: Typed, span: proc_macro2::Span) -> Typed {
        let op = match name {
            "min" => BinOp::Min,
            "max" => BinOp::Max,
            "hypot" => BinOp::Hypot,
            "wrapping_add" => BinOp::Add,
            "wrapping_sub" => BinOp::Sub,
            _ => BinOp::Mul,
        };
        let ty = self.ty(a.term);
        let float = syn::Ident::new(ty.name(), span);
        let (method, rust) = (syn::Ident::new(name, span), self.rust_type(a.term));
        let (x, y) = (&a.cpu, &b.cpu);
        let cpu = match op {
            BinOp::Hypot => {
                let hypot = syn::Ident::new(&format!("hypot_{}", ty.name()), span);
                quote!(::hotsled::__private::math::#hypot(#x, #y))
            }
            _ if ty.is_float() => quote!(::hotsled::__private::math::#float::#method(#x, #y)),
            BinOp::Min | BinOp::Max => quote!(::core::cmp::Ord::#method(#x, #y)),
            _ => quote!(<#rust>::#method(#x, #y)),
        };
        Typed {
            term: a.term,
            ir: Ir::Binary(op, Box::new(a.ir), Box::new(b.ir)),
            cpu,
            span,
        }
    }

    /// `clamp` panics when the bounds are crossed or not numbers; NaN stays NaN.
    fn clamp(&mut self, a: Typed, low: Typed, high: Typed, span: proc_macro2::Span) -> Typed {
        let term = a.term;
        let mut keep = |name: &str, ir| (self.new_local(name, term), ir);
        let set = [
            keep("value", a.ir),
            keep("low", low.ir),
            keep("high", high.ir),
        ];
        let [v, lo, hi] = [0, 1, 2].map(|n: usize| set[n].0).map(Ir::Local);
        let compare =
            |op, x: &Ir, y: &Ir| Ir::Compare(op, Box::new(x.clone()), Box::new(y.clone()));
        let mut stmts: Vec<_> = set
            .into_iter()
            .map(|(id, ir)| IrStmt::Set(id, ir))
            .collect();
        stmts.push(IrStmt::If(
            compare(CmpOp::Le, &lo, &hi),
            vec![],
            vec![IrStmt::Fault],
        ));
        let above = Ir::If(
            Box::new(compare(CmpOp::Gt, &v, &hi)),
            Box::new(hi),
            Box::new(v.clone()),
        );
        let value = Ir::If(
            Box::new(compare(CmpOp::Lt, &v, &lo)),
            Box::new(lo),
            Box::new(above),
        );
        let (x, l, h) = (a.cpu, low.cpu, high.cpu);
        let ty = self.ty(term);
        let cpu = if ty.is_float() {
            let float = syn::Ident::new(ty.name(), span);
            quote_spanned!(span=> ::hotsled::__private::math::#float::clamp(#x, #l, #h))
        } else {
            quote_spanned!(span=> ::core::cmp::Ord::clamp(#x, #l, #h))
        };
        Typed {
            term,
            ir: Ir::Block(stmts, Box::new(value)),
            cpu,
            span,
        }
    }

    fn len(&mut self, call: &ExprMethodCall) -> Typed {
        let span = call.span();
        let slice = match &*call.receiver {
            Expr::Path(path) => path
                .path
                .get_ident()
                .and_then(|n| Some((n.clone(), self.slice(n)?))),
            _ => None,
        };
        let Some((name, (param, kind))) =
            slice.filter(|(_, (_, kind))| !matches!(kind, Kind::Scalar(_)))
        else {
            self.error(span, "`.len()` is asked of a slice parameter");
            return self.poison(span);
        };
        let len = len_name(&name);
        let cpu = if matches!(kind, Kind::Own(_)) {
            quote!(#len)
        } else {
            quote!(#name.len())
        };
        Typed {
            term: Term::Known(Ty::Usize),
            ir: Ir::Len(param),
            cpu,
            span,
        }
    }
}
