//! Attribute macros of hotsled.

use proc_macro::TokenStream;

/// Makes a function's `for i in parallel(..)` loop a section.
#[proc_macro_attribute]
pub fn section(_args: TokenStream, item: TokenStream) -> TokenStream {
    item
}
