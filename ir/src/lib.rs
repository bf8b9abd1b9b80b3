//! The virtual ISA: what a section becomes beside its CPU code.
//!
//! Bytes become a [`Module`] by [`decode`], a module becomes [`Valid`] by [`validate`], and only valid
//! modules are lowered: if the validator accepts, no lowering may fail except by "this device cannot".
#![forbid(unsafe_code)]

mod access;
mod decode;
mod encode;
pub mod interp;
mod link;
pub mod math;
mod parse;
mod print;
#[cfg(test)]
mod testing;
mod types;
mod validate;
pub mod walk;

pub use access::{Access, Reach, access};
pub use decode::{DecodeError, decode};
pub use encode::{Unlinked, encode, encode_function, encode_unlinked};
pub use link::{Function, LinkError, Linked, MAX_NODES, link};
pub use parse::{TextError, parse};
pub use print::print;
pub use types::{
    AccOp, Array, ArrayId, BinOp, CmpOp, Elem, Expr, Local, LocalId, Module, Param, ParamId,
    ParamKind, Stmt, Type, UnOp, Value,
};
pub use validate::{Invalid, Valid, validate};

/// Why bytes are no valid module.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// Not a module's bytes.
    #[error("virtual-ISA bytes: {0}")]
    Decode(#[from] DecodeError),
    /// A module that breaks a rule.
    #[error("virtual-ISA module: {0}")]
    Invalid(#[from] Invalid),
}

/// Decodes and validates.
///
/// # Errors
/// [`ReadError`] names what is wrong and where.
pub fn read(bytes: &[u8]) -> Result<Valid, ReadError> {
    Ok(validate(decode(bytes)?)?)
}
