//! The `hotsled` command, as a library so that its tests reach what it is made of.
#![forbid(unsafe_code)]

pub mod inspect;
pub mod lowering;
