//! `#[section]`: a Rust loop becomes CPU code behind a sled, and virtual ISA beside it.
//!
//! One walk over the user's syntax (`lower`) checks types and builds both forms, so that they cannot
//! drift apart; `expand` wraps them. A function with errors is left as the plain loop it is.

mod checked;
mod data;
mod expand;
mod infer;
mod lower;
mod parse;

use proc_macro::TokenStream;
use quote::quote;
use syn::spanned::Spanned;

/// Makes the `for i in parallel(a..b)` loop of a function a section.
///
/// `#[section(cpu)]` never offers it to a device, `exact` not to one that accepts inexact operations; with `fast` the
/// CPU calls std's math functions. `docs/section-language.md` has the language; whatever
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
    let mut errors = parse::Errors::default();
    let options = errors.keep(parse::options(args));
    let section = errors.keep(syn::parse2(item)).and_then(|mut item| {
        checked::rewrite(&mut item);
        parse::section(item, &mut errors)
    });
    let lowered = section.as_ref().and_then(|section| {
        let fast = options.as_ref().is_some_and(|options| options.fast);
        errors.keep(lower::section(section, fast))
    });
    errors.finish()?;
    let (Some(options), Some(section), Some(lowered)) = (options, section, lowered) else {
        unreachable!("what is missing has left an error")
    };
    Ok(expand::section(&section, &lowered, &options))
}

/// Makes a function of scalars, and of tuples of them, callable from sections, also those of other crates.
///
/// Its body is of the section language and ends with its value. Called elsewhere it is an ordinary
/// function, with the section language's arithmetic.
#[proc_macro_attribute]
pub fn device_fn(args: TokenStream, item: TokenStream) -> TokenStream {
    let original: proc_macro2::TokenStream = item.clone().into();
    match build_function(args.into(), item.into()) {
        Ok(tokens) => tokens.into(),
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote!(#original #errors).into()
        }
    }
}

fn build_function(
    args: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> syn::Result<proc_macro2::TokenStream> {
    let mut errors = parse::Errors::default();
    if !args.is_empty() {
        errors.add(args.span(), "`device_fn` takes no arguments");
    }
    let mut item: syn::ItemFn = syn::parse2(item)?;
    checked::rewrite(&mut item);
    parse::helper_signature(&item, &mut errors);
    let lowered = errors.keep(lower::function(&item, lower::Names::default()));
    errors.finish()?;
    let lowered = lowered.expect("what is missing has left an error");
    Ok(expand::helper(&item, &lowered))
}

/// Makes a struct of scalars a parameter of sections, by value or by reference.
///
/// Each field that a section uses enters as a scalar; the struct itself never leaves the process.
#[proc_macro_attribute]
pub fn device_data(args: TokenStream, item: TokenStream) -> TokenStream {
    let original: proc_macro2::TokenStream = item.clone().into();
    match data::build(&args.into(), item.into()) {
        Ok(tokens) => tokens.into(),
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote!(#original #errors).into()
        }
    }
}
