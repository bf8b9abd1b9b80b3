//! Rewrites sleds in live code under running threads; knows nothing of devices.
//!
//! Start with `README.md` beside this crate: states, steps and the argument why no thread can see a
//! mix of old and new bytes.

mod error;
mod patcher;
mod plan;
mod protocol;
mod table;
mod trap;

pub use error::{PatchError, Refusal, TableError};
pub use patcher::{Mode, NewSite, Options, Patcher, Report, Traced, Want};
pub use plan::{Edit, Plan};
pub use table::{Spaces, TableEntry, check, read};
