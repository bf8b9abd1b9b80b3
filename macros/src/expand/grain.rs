//! The user's code over one grain.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::gathered::Gathered;
use super::param::{declare, declare_inner};
use crate::lower::{
    Lowered, cols_name, identity_name, leaf_name, range_name, rows_name, turn_name,
};
use crate::parse::{Body, Cells, Kind, Param, Section};

/// The user's code over one grain. Where the grain lies within every own slice, `own_at`'s check is
/// seen to hold and goes; the other copy is for ranges that run beyond a slice, and panics there.
pub(super) fn grain(section: &Section, lowered: &Lowered, all: &[(usize, Param)]) -> TokenStream {
    let params: Vec<_> = all.iter().map(|(_, param)| declare(param)).collect();
    let gathered = Gathered::of(section, lowered);
    let inner = all.iter().map(|(_, param)| declare_inner(param));
    let inner: Vec<_> = inner.collect();
    let own: Vec<_> = all
        .iter()
        .filter(|(_, p)| matches!(p.kind, Kind::Own(_)))
        .map(|(_, p)| &p.name)
        .collect();
    let label = &section.parallel.label;
    let (index, reduction) = index(section, lowered);
    let (prelude, body, k) = (&lowered.prelude, &lowered.body, turn_name());
    let views = views(section);
    let indices = match (&section.parallel.body, &lowered.columns) {
        (Body::Cells(cells), Some(columns)) => grain_cells(section, cells, columns, body),
        _ => quote! {
            #label for #k in 0..__count {
                let #index = __start + #k;
                #body
            }
        },
    };
    let runs = gathered.runs(all, &own);
    let private = gathered.generic();
    quote! {
        #[allow(clippy::too_many_arguments)]
        fn __grain(#(#params,)* __start: ::core::primitive::usize, __end: ::core::primitive::usize) {
            let __count = __end - __start;
            #runs
        }
        #[inline(always)]
        #[allow(unused_variables, unused_mut, unused_assignments, dead_code, unused_parens, unused_braces, clippy::all)]
        fn __indices #private (#(#inner,)* __start: ::core::primitive::usize, __count: ::core::primitive::usize) {
            #views
            #prelude
            #reduction
            #indices
        }
    }
}

/// The loop's variable, and what a reduction computes before its loop over leaves.
fn index(section: &Section, lowered: &Lowered) -> (Ident, Option<TokenStream>) {
    let Some(reduced) = &lowered.reduced else {
        return (section.parallel.index.clone(), None);
    };
    let ((start, end), first) = (&lowered.range, &reduced.identity);
    let (range, identity) = (range_name(), identity_name());
    let ty = Ident::new(reduced.ty.name(), Span::mixed_site());
    let set = quote! {
        let #range = (#start)..(#end);
        let #identity: ::core::primitive::#ty = #first;
    };
    (leaf_name(), Some(set))
}

/// The grids that are read, as tables.
fn views(section: &Section) -> TokenStream {
    let inputs = section
        .params
        .iter()
        .filter(|p| p.grid && matches!(p.kind, Kind::Input(_)));
    let views = inputs.map(|p| {
        let (name, rows, cols) = (&p.name, rows_name(&p.name), cols_name(&p.name));
        quote!(let #name = ::hotsled::__private::GridView::new(#name, #rows, #cols);)
    });
    quote!(#(#views)*)
}

/// The cells of a grain, a part of a row at a time.
fn grain_cells(
    section: &Section,
    cells: &Cells,
    (first, last): &(TokenStream, TokenStream),
    body: &TokenStream,
) -> TokenStream {
    let written = section
        .params
        .iter()
        .find(|p| p.grid && matches!(p.kind, Kind::Own(_)));
    let width = written.map(|p| cols_name(&p.name));
    let (row, col, label) = (&cells.row, &cells.col, &section.parallel.label);
    let (index, k) = (&section.parallel.index, turn_name());
    quote! {
        let (__first_col, __last_col) = (#first, #last);
        let mut __done = 0;
        while __done < __count {
            let __at = __start + __done;
            let (#row, __col) = (__at / #width, __at % #width);
            let __part = ::core::cmp::Ord::min(#width - __col, __count - __done);
            // The columns as the loop's own bounds, so that the compiler sees which cells are inside.
            let __from = ::core::cmp::Ord::max(__col, __first_col);
            let __to = ::core::cmp::Ord::min(__col + __part, __last_col);
            #label for #col in __from..__to {
                let __j = #col - __col;
                let (#k, #index) = (__done + __j, __at + __j);
                #body
            }
            __done += __part;
        }
    }
}
