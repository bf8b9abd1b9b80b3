//! Virtual ISA as a constant, which the compiler completes.

use std::ops::Range;

use hotsled_ir::{Unlinked, encode_function, encode_unlinked};
use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::wrapper::constant_bits;
use crate::lower::{Import, Length, Lowered, LoweredFunction};

/// The bytes of a section, those of the functions it calls behind them.
pub(super) fn module(lowered: &Lowered) -> TokenStream {
    let own = encode_unlinked(&lowered.module, lowered.imports.len() as u16);
    let late = lens(&own, &lowered.lens);
    linked(&own.bytes, late, &lowered.imports)
}

/// Likewise of a function; its first constants are those of its module.
pub(super) fn function(lowered: &LoweredFunction) -> TokenStream {
    let own = encode_function(&lowered.function);
    let mut late = lens(&own, &lowered.lens);
    for (place, constant) in own.constants.iter().zip(&lowered.constants) {
        let bits = constant_bits(constant);
        late.push((place.clone(), quote!(&::hotsled::__private::number(#bits))));
    }
    linked(&own.bytes, late, &lowered.imports)
}

/// Compiles if arrays whose lengths only the compiler knows have room together.
pub(super) fn fit(lens: &[Length]) -> TokenStream {
    let constant = |len: &&Length| matches!(len, Length::Constant { .. });
    let Some(last) = lens.iter().rfind(constant).filter(|_| lens.len() > 1) else {
        return TokenStream::new();
    };
    let all = lens.iter().map(Length::alone);
    quote_spanned!(last.cpu().span()=> const _: () = ::hotsled::__private::arrays_fit(&[#(#all),*]);)
}

/// A number that the compiler writes, and its place.
type Late = (Range<usize>, TokenStream);

fn lens(own: &Unlinked, lens: &[Length]) -> Vec<Late> {
    let late = |(place, len): (&Range<usize>, &Length)| match len {
        Length::Number(_) => None,
        Length::Constant { shown, alone } => Some((
            place.clone(),
            quote_spanned!(shown.span()=> &::hotsled::__private::array_len(#alone)),
        )),
    };
    own.lens.iter().zip(lens).filter_map(late).collect()
}

/// Everything one after the other.
fn linked(own: &[u8], late: Vec<Late>, imports: &[Import]) -> TokenStream {
    let mut parts = Vec::new();
    let mut at = 0;
    for (place, number) in late {
        let before = Literal::byte_string(&own[at..place.start]);
        parts.extend([quote!(#before), number]);
        at = place.end;
    }
    let rest = Literal::byte_string(&own[at..]);
    if parts.is_empty() && imports.is_empty() {
        return quote!(#rest);
    }
    parts.push(quote!(#rest));
    parts.extend(imports.iter().map(Import::bytes));
    quote! {{
        const __PARTS: &[&[::core::primitive::u8]] = &[#(#parts),*];
        &::hotsled::__private::concat::<{ ::hotsled::__private::concat_len(__PARTS) }>(__PARTS)
    }}
}
