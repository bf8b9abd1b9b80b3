//! Accumulators that a grain gathers apart.

use hotsled_ir::ParamKind;
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::param::pass;
use crate::lower::Lowered;
use crate::parse::{Kind, Param, Section};

/// The accumulators of a section, which a grain gathers apart where that pays: `__indices` is made twice then,
/// for the grain's own bins and for those that all share.
pub(super) struct Gathered<'a> {
    names: Vec<&'a Ident>,
    ops: Vec<Ident>,
}

impl<'a> Gathered<'a> {
    pub(super) fn of(section: &'a Section, lowered: &Lowered) -> Self {
        let kinds = section.params.iter().zip(&lowered.module.params);
        let accumulators = kinds.filter_map(|(param, module)| match module.kind {
            ParamKind::Accumulator(_, op) => Some((
                &param.name,
                Ident::new(&format!("{op:?}"), Span::mixed_site()),
            )),
            _ => None,
        });
        let (names, ops) = accumulators.unzip();
        Self { names, ops }
    }

    pub(super) fn generic(&self) -> Option<TokenStream> {
        (!self.names.is_empty()).then(|| quote!(<const __OWN: ::core::primitive::bool>))
    }

    /// The grain's run, or runs to choose from.
    pub(super) fn runs(&self, all: &[(usize, Param)], own: &[&Ident]) -> TokenStream {
        let plain: Vec<_> = all.iter().map(|(_, param)| pass(param)).collect();
        let Self { names, ops } = self;
        if names.is_empty() {
            return checked(own, &quote!(__indices(#(#plain,)* __start, __count)));
        }
        let bins = |param: &Param, how: TokenStream| match param.kind {
            Kind::Accumulator(_) => how,
            _ => pass(param),
        };
        let shared = all.iter().map(|(_, param)| {
            let name = &param.cpu;
            bins(param, quote!(::hotsled::__private::shared_bins(#name)))
        });
        let shared = quote!(__indices::<false>(#(#shared,)* __start, __count));
        let apart = all.iter().map(|(_, param)| {
            let name = &param.cpu;
            bins(param, quote!(#name.bins()))
        });
        let apart = quote!(__indices::<true>(#(#apart,)* __start, __count));
        let (shared, apart) = (checked(own, &shared), checked(own, &apart));
        quote! {
            if ::hotsled::__private::gathering_pays(&[#(#names.len()),*], __count) {
                #(let #names = ::hotsled::__private::Gathered::new(#names, ::hotsled::__private::AccOp::#ops);)*
                #apart
            } else {
                #shared
            }
        }
    }
}

/// A run with own slices that are seen to be as long as the grain, where they are.
fn checked(own: &[&Ident], run: &TokenStream) -> TokenStream {
    quote! {
        if true #(&& #own.len() == __count)* {
            #(let #own = &mut #own[..__count];)*
            #run
        } else {
            #run
        }
    }
}
