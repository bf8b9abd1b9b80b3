//! Live code patching for hotplug-reactive services.
//!
//! Mark a parallel loop with [`section`], start an [`Engine`], and the loop moves to an accelerator
//! when one is plugged in and back when it goes, while threads run it.

#[doc(hidden)]
pub mod __private;
mod call;
mod cell;
mod cursor;
mod dispatch;
mod epoch;
mod error;
mod gate;
mod lane;
mod modules;
mod plan;
mod section;
mod slots;
mod stats;
mod switch;
mod sync;
mod workers;
mod worth;

use std::ops::Range;

pub use error::{Error, Result};
pub use stats::{CpuReason, SectionCounts};

/// Marks the loop of a section; without the attribute it is the plain sequential loop.
///
/// ```
/// let mut y = [1, 2, 3];
/// for i in hotsled::parallel(0..y.len()) {
///     y[i] += 1;
/// }
/// assert_eq!(y, [2, 3, 4]);
/// ```
pub fn parallel(range: Range<usize>) -> Range<usize> {
    range
}

pub use hotsled_macros::section;
