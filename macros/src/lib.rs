//! `#[section]`: a Rust loop becomes CPU code behind a sled, and virtual ISA beside it.
//!
//! One walk over the user's syntax ([`lower`]) checks types and builds both forms, so that they cannot
//! drift apart; `expand` wraps them. A function with errors is left as the plain loop it is.

mod expand;
mod infer;
mod lower;
mod parse;

use proc_macro::TokenStream;
use quote::quote;

/// Makes the `for i in parallel(a..b)` loop of a function a section.
///
/// `#[section(cpu)]` never offers it to a device. `docs/section-language.md` has the language; whatever
/// is outside it is a compile error that says what to write instead.
#[proc_macro_attribute]
pub fn section(args: TokenStream, item: TokenStream) -> TokenStream {
    let original: proc_macro2::TokenStream = item.clone().into();
    match build(args.into(), item.into()) {
        Ok(tokens) => tokens.into(),
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote!(#original #errors).into()
        }
    }
}

fn build(
    args: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> syn::Result<proc_macro2::TokenStream> {
    let options = parse::options(args)?;
    let section = parse::section(syn::parse2(item)?)?;
    let lowered = lower::section(&section)?;
    Ok(expand::section(&section, &lowered, &options))
}
