//! The function that callers see: it packs the arguments, and runs the loop or the reduction.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::infer::Ty;
use crate::lower::{Hidden, Lowered, Reduced, cols_name, len_name, rows_name};
use crate::parse::{Kind, Param, Section};

/// The wrapper of a loop.
pub(super) fn call(section: &Section, lowered: &Lowered) -> TokenStream {
    let (start, end) = &lowered.range;
    let range = match &lowered.columns {
        None => quote!((#start)..(#end)),
        Some((first, last)) => {
            let grids = section
                .params
                .iter()
                .filter(|p| p.grid && matches!(p.kind, Kind::Own(_)));
            let sizes = grids.map(|p| {
                let (rows, cols) = (rows_name(&p.name), cols_name(&p.name));
                quote!((#rows, #cols))
            });
            quote!(::hotsled::__private::cells(&[#(#sizes),*], (#start)..(#end), (#first)..(#last)))
        }
    };
    let range = before(section, lowered, &range);
    let slots = slots(section, lowered);
    quote! {
        let __range = #range;
        ::hotsled::__private::run(&__CELL, __range, [#(#slots),*])
    }
}

/// The wrapper of a reduction: a loop over leaves, then the tree over their results.
pub(super) fn reduce(section: &Section, lowered: &Lowered, reduced: &Reduced) -> TokenStream {
    let (start, end) = &lowered.range;
    let (identity, op) = (&reduced.identity, &reduced.op);
    let values = before(section, lowered, &quote!(((#start)..(#end), #identity)));
    let slots = slots(section, lowered);
    let ty = Ident::new(reduced.ty.name(), Span::mixed_site());
    quote! {
        let (__range, __identity): (_, ::core::primitive::#ty) = #values;
        let mut __leaves = ::hotsled::__private::leaves(&__range, __identity);
        let __count = __leaves.len();
        let __own = ::hotsled::__private::own_slot(&mut __leaves);
        ::hotsled::__private::run(&__CELL, 0..__count, [#(#slots,)* __own]);
        #[allow(unused_parens, unused_braces, clippy::all)]
        ::hotsled::__private::tree(&__leaves, __identity, #op)
    }
}

/// A value that the prelude may have to do with.
fn before(section: &Section, lowered: &Lowered, value: &TokenStream) -> TokenStream {
    let generics = section.params.iter().filter(|p| p.cpu != p.name).map(|p| {
        let (cpu, name) = (&p.cpu, &p.name);
        quote!(let #cpu = #name;)
    });
    let lens = section
        .params
        .iter()
        .filter(|p| matches!(p.kind, Kind::Own(_)))
        .map(|p| {
            let (len, name) = (len_name(&p.name), &p.name);
            quote!(let #len = #name.len();)
        });
    let sizes = section.params.iter().filter(|p| p.grid).map(|p| {
        let (name, rows, cols) = (&p.name, rows_name(&p.name), cols_name(&p.name));
        quote!(let (#rows, #cols) = (#name.rows(), #name.cols());)
    });
    let fields = lowered.hidden.iter().filter_map(|hidden| {
        let (cpu, path) = (hidden.cpu.as_ref()?, &hidden.path);
        let ty = Ident::new(hidden.ty.name(), Span::mixed_site());
        Some(quote!(let #cpu: ::core::primitive::#ty = #path;))
    });
    let prelude = &lowered.prelude;
    quote! {{
        #[allow(unused_variables, unused_mut, unused_assignments, dead_code, unused_parens, clippy::all)]
        let __before = {
            #(#generics)*
            #(#lens)*
            #(#sizes)*
            #(#fields)*
            #prelude
            #value
        };
        __before
    }}
}

fn slots(section: &Section, lowered: &Lowered) -> Vec<TokenStream> {
    let hidden = lowered.hidden.iter().map(hidden_slot);
    section.params.iter().map(slot).chain(hidden).collect()
}

fn slot(param: &Param) -> TokenStream {
    let name = &param.name;
    match param.kind {
        Kind::Input(_) if param.grid => quote!(::hotsled::__private::input_slot(#name.cells())),
        Kind::Own(_) if param.grid => quote!(::hotsled::__private::own_slot(#name.cells_mut())),
        Kind::Input(_) | Kind::Accumulator(_) => {
            quote!(::hotsled::__private::input_slot(#name))
        }
        Kind::Own(_) => quote!(::hotsled::__private::own_slot(#name)),
        Kind::Scalar(ty) => scalar_slot(&quote!(#name), ty),
    }
}

/// A constant's value, with the type that its uses have.
fn hidden_slot(hidden: &Hidden) -> TokenStream {
    let (path, ty) = (&hidden.path, hidden.ty);
    scalar_slot(&typed(path, ty), ty)
}

fn typed(constant: &TokenStream, ty: Ty) -> TokenStream {
    let name = Ident::new(ty.name(), Span::mixed_site());
    quote!({ let __constant: ::core::primitive::#name = #constant; __constant })
}

/// A constant's value as the bits that stand in virtual ISA.
pub(super) fn constant_bits(hidden: &Hidden) -> TokenStream {
    bits(&typed(&hidden.path, hidden.ty), hidden.ty)
}

fn scalar_slot(value: &TokenStream, ty: Ty) -> TokenStream {
    let bits = bits(value, ty);
    quote!(::hotsled::__private::ArgSlot::scalar(#bits))
}

fn bits(value: &TokenStream, ty: Ty) -> TokenStream {
    match ty {
        Ty::F32 => quote!(#value.to_bits() as ::core::primitive::u64),
        Ty::F64 => quote!(#value.to_bits()),
        Ty::I32 | Ty::I16 | Ty::I8 => {
            quote!(#value as ::core::primitive::u32 as ::core::primitive::u64)
        }
        _ => quote!(#value as ::core::primitive::u64),
    }
}
