//! `#[device_data]`: a struct of scalars that sections take.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{ItemStruct, Result};

use crate::infer::Ty;
use crate::parse::{Errors, type_name};

/// The struct, and what marks it.
pub fn build(args: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut errors = Errors::default();
    if !args.is_empty() {
        errors.add(args.span(), "`device_data` takes no arguments");
    }
    let item: ItemStruct = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        errors.add(
            item.generics.span(),
            "data of a section is not generic; write one struct per type",
        );
    }
    if item.fields.is_empty() {
        errors.add(item.ident.span(), "data of a section has a field at least");
    }
    for field in &item.fields {
        let ty = type_name(&field.ty).as_deref().and_then(Ty::named);
        if ty.is_none_or(Ty::is_storage) {
            errors.add(
                field.ty.span(),
                "a field of a section's data is f32, f64, i32, u32, i64, u64, usize or bool",
            );
        }
    }
    errors.finish()?;
    let name = &item.ident;
    Ok(quote! {
        #item
        impl ::hotsled::DeviceData for #name {}
    })
}
