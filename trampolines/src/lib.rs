//! Near, immortal code blocks that patched sleds jump to; knows nothing of sites.
//!
//! A pool lies near the text it serves, below it where there is room, within reach of `jmp rel32`. Its code is written to an
//! anonymous file, sealed, and only then mapped executable, so no page is ever writable and
//! executable, also not under two addresses at once. Nothing is ever unmapped: a preempted thread
//! may stand between a sled and the first instruction of its block for as long as it likes.

mod block;
mod elf;
pub mod gdb;
pub mod perf;
mod pool;

pub use block::{BLOCK_LEN, dispatch_block};
pub use pool::{Pool, TrampolineError, publish_code};

/// A block's name, for profilers and debuggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The block.
    pub at: hotsled_abi::TargetAddr,
    /// What to call it.
    pub name: String,
}
