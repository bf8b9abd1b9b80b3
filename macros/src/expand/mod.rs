//! The output: wrapper, record, cell, entry with its sled and row, CPU body.

mod body;
mod bytes;
mod gathered;
mod grain;
mod param;
mod wrapper;

use hotsled_abi::{NOP8, RECORDS_SECTION, SITE_VERSION, SITES_SECTION, TEXT_SECTION};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ItemFn;
use syn::spanned::Spanned;

use crate::lower::{Lowered, LoweredFunction};
use crate::parse::{Body, Options, Section};
use body::{body, parameters};
use grain::grain;

/// Everything a section becomes, inside the user's own function item.
pub fn section(section: &Section, lowered: &Lowered, options: &Options) -> TokenStream {
    let item = &section.item;
    let (attrs, vis, sig) = (&item.attrs, &item.vis, &item.sig);
    let (statics, code) = (statics(section, lowered, options), code(section, lowered));
    let parallel = &section.parallel.func;
    // The name that the user wrote must be the crate's function.
    let check = match section.parallel.body {
        Body::Cells(_) => quote!(let _ = |__rows, __cols| #parallel(__rows, __cols);),
        _ => quote! {
            let _: fn(::core::ops::Range<::core::primitive::usize>) -> ::hotsled::Parallel = #parallel;
        },
    };
    let call = match &lowered.reduced {
        None => wrapper::call(section, lowered),
        Some(reduced) => wrapper::reduce(section, lowered, reduced),
    };
    let data = section.data.iter().map(|data| {
        let ty = &data.ty;
        quote_spanned!(ty.span()=> ::hotsled::__private::data::<#ty>();)
    });
    quote! {
        #(#attrs)* #vis #sig {
            #check
            #(#data)*
            #statics
            #code
            #call
        }
    }
}

/// A helper: the function, and beside it an empty type of the same name that holds its bytes, so that
/// whoever imports the one has the other.
pub fn helper(item: &ItemFn, lowered: &LoweredFunction) -> TokenStream {
    let (attrs, vis, sig, body) = (&item.attrs, &item.vis, &item.sig, &lowered.body);
    let name = &sig.ident;
    let bytes = bytes::function(lowered);
    let fit = bytes::fit(&lowered.lens);
    quote! {
        #(#attrs)*
        #[inline]
        #[allow(unused_parens, unused_braces, clippy::all)]
        #vis #sig #body

        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis enum #name {}
        impl ::hotsled::__private::DeviceFn for #name {
            const BYTES: &'static [::core::primitive::u8] = #bytes;
        }
        #fit
    }
}

/// Record and cell.
fn statics(section: &Section, lowered: &Lowered, options: &Options) -> TokenStream {
    let name = section.item.sig.ident.to_string();
    let (module, fit) = (bytes::module(lowered), bytes::fit(&lowered.lens));
    let flags = [
        (options.pinned, quote!(FLAG_PINNED_CPU)),
        (options.exact, quote!(FLAG_EXACT)),
        (options.fast, quote!(FLAG_FAST)),
    ];
    let flags = flags.into_iter().filter(|(given, _)| *given);
    let flags = flags.map(|(_, flag)| quote!(| ::hotsled::__private::#flag));
    let flags = quote!(0 #(#flags)*);
    quote! {
        #fit
        const __MODULE: &[::core::primitive::u8] = #module;
        const __PATH: &::core::primitive::str = ::core::concat!(::core::module_path!(), "::", #name);
        const __LEN: ::core::primitive::usize = ::hotsled::__private::record_len(__PATH.len(), __MODULE.len());
        #[used]
        #[unsafe(link_section = #RECORDS_SECTION)]
        static __RECORD: ::hotsled::__private::Record<__LEN> =
            ::hotsled::__private::Record(::hotsled::__private::assemble(__PATH, __MODULE));
        static __CELL: ::hotsled::__private::SectionCell =
            ::hotsled::__private::SectionCell::new(__entry, __body, #flags);
    }
}

/// Entry, body, and the safe function that holds the user's code.
fn code(section: &Section, lowered: &Lowered) -> TokenStream {
    let all = parameters(section, lowered);
    let (entry, body, grain) = (entry(), body(&all), grain(section, lowered, &all));
    quote!(#entry #body #grain)
}

/// ```text
/// 0  0f 1f 84 00 00 00 00 00  nop     the sled
/// 8  e9 .. .. .. ..           jmp body
/// ```
/// padded to 16 bytes, with the row that names it.
fn entry() -> TokenStream {
    let sled = NOP8.map(|byte| format!("{byte:#04x}")).join(", ");
    let head = [
        ".balign 16".to_owned(),
        "2:".into(),
        format!(".byte {sled}"),
        "jmp {body}".into(),
        ".balign 16, 0xcc".into(),
    ];
    let row = [
        format!(".pushsection {SITES_SECTION},\"aR\",@progbits"),
        ".balign 4".into(),
        format!(".long {SITE_VERSION}"),
        ".long 2b - .".into(),
        ".long {body} - .".into(),
        ".long {record} - .".into(),
        ".long {len}".into(),
        ".long {cell} - .".into(),
        ".popsection".into(),
    ];
    let lines = head.iter().chain(&row);
    quote! {
        #[unsafe(naked)]
        #[unsafe(link_section = #TEXT_SECTION)]
        unsafe extern "C-unwind" fn __entry(
            _args: *const ::hotsled::__private::ArgBlock,
            _start: ::core::primitive::u64,
            _end: ::core::primitive::u64,
        ) {
            ::core::arch::naked_asm!(
                #(#lines,)*
                body = sym __body, record = sym __RECORD, len = const __LEN, cell = sym __CELL,
            )
        }
    }
}
