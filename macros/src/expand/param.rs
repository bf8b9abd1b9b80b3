//! A parameter of the CPU code: unpacked, declared, passed on.

use hotsled_ir::Elem;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

use crate::infer::Ty;
use crate::lower::len_name;
use crate::parse::{Kind, Param};

pub(super) fn unpack(n: usize, param: &Param) -> TokenStream {
    let n = Literal::usize_unsuffixed(n);
    match param.kind {
        Kind::Scalar(ty) => scalar(&quote!(__slots[#n].word), ty),
        Kind::Input(elem) => borrowed(&n, &elem_type(elem)),
        Kind::Accumulator(ty) => borrowed(&n, &atomic_type(ty)),
        Kind::Own(elem) => {
            let elem = elem_type(elem);
            // SAFETY, of what is emitted: as in `borrowed`, and grains that live at the same time are disjoint.
            quote!(unsafe { ::hotsled::__private::own::<#elem>(&__slots[#n], __start, __end) }, __slots[#n].len as ::core::primitive::usize)
        }
    }
}

fn borrowed(n: &Literal, element: &TokenStream) -> TokenStream {
    // SAFETY, of what is emitted: slot `n` was made by the wrapper from this very parameter, which is borrowed
    // until the call returns.
    quote!(unsafe { ::hotsled::__private::input::<#element>(&__slots[#n]) })
}

fn scalar(word: &TokenStream, ty: Ty) -> TokenStream {
    let name = Ident::new(ty.name(), Span::mixed_site());
    match ty {
        Ty::F32 => quote!(::core::primitive::f32::from_bits(#word as ::core::primitive::u32)),
        Ty::F64 => quote!(::core::primitive::f64::from_bits(#word)),
        Ty::Bool => quote!(#word != 0),
        _ => quote!(#word as ::core::primitive::#name),
    }
}

pub(super) fn atomic_type(ty: Ty) -> TokenStream {
    let mut name = ty.name().to_owned();
    name[..1].make_ascii_uppercase();
    let name = Ident::new(&format!("Atomic{name}"), Span::mixed_site());
    quote!(::core::sync::atomic::#name)
}

pub(super) fn elem_type(elem: Elem) -> TokenStream {
    let name = Ident::new(Ty::of(elem).name(), Span::mixed_site());
    quote!(::core::primitive::#name)
}

/// As [`declare`]; accumulators are bins of a grain's own, or shared ones.
pub(super) fn declare_inner(param: &Param) -> TokenStream {
    let Kind::Accumulator(ty) = param.kind else {
        return declare(param);
    };
    let (name, atomic) = (&param.cpu, atomic_type(ty));
    quote!(#name: &[::hotsled::__private::Bin<#atomic, __OWN>])
}

pub(super) fn declare(param: &Param) -> TokenStream {
    let name = &param.cpu;
    match param.kind {
        Kind::Scalar(ty) => {
            let ty = Ident::new(ty.name(), Span::mixed_site());
            quote!(#name: ::core::primitive::#ty)
        }
        Kind::Input(elem) => {
            let elem = elem_type(elem);
            quote!(#name: &[#elem])
        }
        Kind::Accumulator(ty) => {
            let atomic = atomic_type(ty);
            quote!(#name: &[#atomic])
        }
        Kind::Own(elem) => {
            let (elem, len) = (elem_type(elem), len_name(name));
            quote!(#name: &mut [#elem], #len: ::core::primitive::usize)
        }
    }
}

pub(super) fn pass(param: &Param) -> TokenStream {
    let name = &param.cpu;
    match param.kind {
        Kind::Own(_) => {
            let len = len_name(name);
            quote!(#name, #len)
        }
        _ => quote!(#name),
    }
}
