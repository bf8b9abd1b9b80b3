//! Rewrites sleds in live code under running threads; knows nothing of devices.
//!
//! A sled is one 8-byte nop. [`Patcher::adopt`] makes it known with the one target that it will ever jump to,
//! and [`Patcher::switch`] turns any number of sleds into jumps, or back, while threads run through them. No
//! thread executes a mix of old and new bytes, no page is ever writable and executable, no byte of a debugger's
//! or another patcher's is overwritten, and a child of any fork runs the code after the nop.
//!
//! Start with `README.md` beside this crate: states, steps, and the argument why all that holds.
//!
//! ```
//! use hotsled_abi::{SiteAddr, TargetAddr};
//! use hotsled_patcher::{Mode, NewSite, Options, Patcher, Want};
//!
//! // A function that starts with a sled, and one of the same type.
//! std::arch::global_asm!(
//!     ".pushsection .text.example, \"ax\", @progbits",
//!     ".balign 16",
//!     "example_one: .byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0",
//!     "mov eax, 1",
//!     "ret",
//!     "example_two: mov eax, 2",
//!     "ret",
//!     ".popsection",
//! );
//! unsafe extern "C" {
//!     safe fn example_one() -> u32;
//!     safe fn example_two() -> u32;
//! }
//!
//! # fn main() -> Result<(), hotsled_patcher::PatchError> {
//! let patcher = Patcher::new(Options::default())?;
//! let site = NewSite {
//!     sled: SiteAddr::new(example_one as *const () as u64),
//!     target: TargetAddr::new(example_two as *const () as u64),
//! };
//! // SAFETY: sled and target are the functions above, which stay.
//! let sites = unsafe { patcher.adopt(&[site]) }?;
//! assert_eq!(example_one(), 1);
//!
//! let report = patcher.switch(&[(sites[0], Want::Jump)], Mode::AllOrNone)?;
//! assert_eq!((example_one(), report.switched), (2, sites.clone()));
//! println!("{}: {:?}", patcher.status(), report.times);
//!
//! patcher.switch(&[(sites[0], Want::Idle)], Mode::AllOrNone)?;
//! assert_eq!(example_one(), 1);
//! # Ok(()) }
//! ```

mod alias;
mod batch;
mod checks;
mod cpu;
mod edits;
mod error;
mod image;
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
pub use sites::{NewSite, Nop, Want};
pub use table::{Spaces, TableEntry, check, read, read_in};
