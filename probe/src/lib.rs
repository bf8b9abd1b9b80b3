//! Redirects or counts functions that other compilers built with `-fpatchable-function-entry`.
//!
//! `README.md` beside this crate says which sleds are taken, which are refused and why, and what the
//! known holes are. C programs use the same through `include/hotsled.h`.

mod callees;
mod error;
pub mod ffi;
mod fuse;
mod gate;
mod image;
mod layout;
mod module;
mod probes;
mod sled;
mod survey;

pub use error::ProbeError;
pub use fuse::{Fuse, FuseError};
pub use image::ImageError;
pub use layout::{Layout, LayoutError};
pub use module::{Module, ModuleError};
pub use probes::{Adoption, FunctionId, Probes, Route};
pub use sled::{ENDBR64, Fit, Place, Sled, SledError, analyse};
pub use survey::{Reason, Refusal};
