//! `checked_*`: an Option is never a value in a section. Where it is taken apart at once, it is rewritten to a
//! question and the plain operation:
//!
//! | written | becomes |
//! |---|---|
//! | `a.checked_add(b).unwrap_or(d)` | `if a.checked_add(b).is_some() { a.wrapping_add(b) } else { d }` |
//! | `if let Some(v) = a.checked_add(b) { x } else { y }` | `if .. { let v = a.wrapping_add(b); x } else { y }` |
//! | `match a.checked_add(b) { Some(v) => x, None => y }` | the same |
//! | `a.checked_add(b).is_none()` | `!a.checked_add(b).is_some()` |
//!
//! Each operand is evaluated once, in order. What is left, `.is_some()`, is lowered like any method.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Arm, Expr, ExprIf, ExprMatch, ExprMethodCall, ItemFn, Pat};

/// The operation of a call like `a.checked_add(b)`.
pub fn operation(call: &ExprMethodCall) -> Option<String> {
    let name = call.method.to_string();
    let op = name.strip_prefix("checked_")?;
    let known = matches!(op, "add" | "sub" | "mul" | "div" | "rem");
    (known && call.args.len() == 1).then(|| op.to_owned())
}

/// Rewrites a function.
pub fn rewrite(item: &mut ItemFn) {
    Rewrite.visit_block_mut(&mut item.block);
}

struct Rewrite;

impl VisitMut for Rewrite {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let new = match &*expr {
            Expr::MethodCall(call) => method(call),
            Expr::If(chosen) => if_let(chosen),
            Expr::Match(chosen) => matched(chosen),
            _ => None,
        };
        if let Some(new) = new.and_then(|tokens| syn::parse2(tokens).ok()) {
            *expr = new;
        }
    }
}

fn checked(expr: &Expr) -> Option<&ExprMethodCall> {
    match expr {
        Expr::MethodCall(call) => operation(call).map(|_| call),
        Expr::Paren(inner) => checked(&inner.expr),
        _ => None,
    }
}

fn method(call: &ExprMethodCall) -> Option<TokenStream> {
    let option = checked(&call.receiver)?;
    let (span, args) = (call.span(), &call.args);
    match (call.method.to_string().as_str(), args.len()) {
        ("is_none", 0) => Some(quote_spanned!(span=> !#option.is_some())),
        ("unwrap_or", 1) => {
            let (other, first) = (quote!(__other), args.first());
            let before = quote!(let #other = #first;);
            Some(choose(option, &before, &quote!(), None, &other))
        }
        ("unwrap_or_default", 0) => Some(choose(option, &quote!(), &quote!(), None, &quote!(0))),
        _ => None,
    }
}

fn if_let(chosen: &ExprIf) -> Option<TokenStream> {
    let Expr::Let(condition) = &*chosen.cond else {
        return None;
    };
    let (option, then) = (checked(&condition.expr)?, &chosen.then_branch);
    let other = chosen.else_branch.as_ref().map(|(_, other)| &**other);
    let stmts = &then.stmts;
    let some = quote!(#(#stmts)*);
    let other = other.map_or(quote!({}), |other| quote!(#other));
    match side(&condition.pat)? {
        Side::Some(bind) => Some(choose(option, &quote!(), &bind, Some(&some), &other)),
        Side::None => Some(choose(option, &quote!(), &quote!(_), Some(&other), &some)),
    }
}

fn matched(chosen: &ExprMatch) -> Option<TokenStream> {
    let option = checked(&chosen.expr)?;
    let [first, second] = &chosen.arms[..] else {
        return None;
    };
    let (some, bind, none) = match (side(&first.pat)?, side(&second.pat)) {
        (Side::Some(bind), Some(Side::None)) => (first, bind, second),
        (Side::Some(bind), None) if is_rest(second) => (first, bind, second),
        (Side::None, Some(Side::Some(bind))) => (second, bind, first),
        (Side::None, None) if is_rest(second) => (second, quote!(_), first),
        _ => return None,
    };
    let (some, none) = (&some.body, &none.body);
    Some(choose(
        option,
        &quote!(),
        &bind,
        Some(&quote!(#some)),
        &quote!(#none),
    ))
}

fn is_rest(arm: &Arm) -> bool {
    matches!(arm.pat, Pat::Wild(_))
}

/// What a pattern takes of an Option.
enum Side {
    /// The value, by a pattern.
    Some(TokenStream),
    None,
}

fn side(pat: &Pat) -> Option<Side> {
    match pat {
        Pat::TupleStruct(some) if some.path.is_ident("Some") && some.elems.len() == 1 => {
            let bind = &some.elems[0];
            Some(Side::Some(quote!(#bind)))
        }
        Pat::Ident(none) if none.ident == "None" && none.subpat.is_none() => Some(Side::None),
        Pat::Path(none) if none.path.is_ident("None") => Some(Side::None),
        _ => None,
    }
}

/// The choice; without `some` its value is the operation's.
fn choose(
    option: &ExprMethodCall,
    before: &TokenStream,
    bind: &TokenStream,
    some: Option<&TokenStream>,
    none: &TokenStream,
) -> TokenStream {
    let (left, right, method) = (&option.receiver, &option.args[0], &option.method);
    let value = match operation(option).as_deref() {
        Some("add") => quote!(__left.wrapping_add(__right)),
        Some("sub") => quote!(__left.wrapping_sub(__right)),
        Some("mul") => quote!(__left.wrapping_mul(__right)),
        Some("div") => quote!(__left / __right),
        _ => quote!(__left % __right),
    };
    let some = match some {
        None => value,
        Some(some) if bind.to_string() == "_" => quote!(#some),
        Some(some) => quote!(let #bind = #value; #some),
    };
    let span = option.span();
    quote_spanned! {span=> {
        let __left = #left;
        let __right = #right;
        #before
        if __left.#method(__right).is_some() { #some } else { #none }
    }}
}
