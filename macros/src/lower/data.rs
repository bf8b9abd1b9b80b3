//! Struct parameters: each field that is used enters as a scalar.

use proc_macro2::Span;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Expr, ExprField, Ident, Member};

use super::{Lower, Name, Typed};

impl Lower<'_> {
    /// The struct parameter that an expression names.
    pub(super) fn data_name<'e>(&self, expr: &'e Expr) -> Option<&'e Ident> {
        let Expr::Path(path) = expr else { return None };
        let name = path.path.get_ident()?;
        matches!(self.lookup(name)?, Name::Data).then_some(name)
    }

    /// `data.field`, whose type its uses decide, and the compiler holds against the declaration.
    pub(super) fn data_field(&mut self, data: &Ident, field: &ExprField) -> Typed {
        let label = label(&field.member);
        let cpu = format_ident!("__field_{}_{}", data, label, span = Span::mixed_site());
        let shown = format!("{data}.{label}");
        let member = &field.member;
        self.hidden_scalar(
            format!("{data}-{label}"),
            "field",
            &shown,
            (quote!(#data.#member), Some(cpu)),
            field.span(),
        )
    }
}

/// A part's number, or a field's name.
pub(super) fn label(member: &Member) -> String {
    match member {
        Member::Named(name) => name.to_string(),
        Member::Unnamed(n) => n.index.to_string(),
    }
}
