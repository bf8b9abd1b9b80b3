//! Rewrites sleds in live code under running threads; knows nothing of devices.
//!
//! Start with `README.md` beside this crate: states, steps and the argument why no thread can see a
//! mix of old and new bytes.

mod alias;
mod batch;
mod checks;
mod cpu;
mod error;
mod machine;
#[cfg(test)]
mod model;
mod owner;
mod patcher;
mod plan;
mod protocol;
mod report;
mod session;
mod settle;
mod sites;
mod table;
#[cfg(test)]
mod testing;
mod trap;

pub use cpu::Cpu;
pub use error::{AliasError, PatchError, Refusal, TableError};
pub use patcher::Patcher;
pub use report::{Mode, Options, Protocol, Report, SingleStore, Status, Times, Traced, WritePath};
pub use sites::{NewSite, Want};
pub use table::{Spaces, TableEntry, check, read};
