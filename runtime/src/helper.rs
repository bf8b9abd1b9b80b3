//! Functions that sections call.

/// What `#[device_fn]` makes of a function, under the function's name.
#[diagnostic::on_unimplemented(
    message = "a section calls a function that has no `#[hotsled::device_fn]`",
    label = "write `#[hotsled::device_fn]` over this function, or pass its result as a parameter"
)]
pub trait DeviceFn {
    /// Its virtual ISA, that of the functions it calls behind it.
    const BYTES: &'static [u8];
}

/// Stands for functions without the attribute: the macro imports the function as `__helper`, and what no explicit
/// import has, a glob import gives.
pub mod no_helper {
    /// Not a helper.
    #[allow(non_camel_case_types)]
    #[derive(Debug)]
    pub enum __helper {}
}
