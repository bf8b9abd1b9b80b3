//! The engine: what calls of sections run through, and what moves them to devices and back.
//!
//! Its users see it as the crate `hotsled`, beside the macros; it depends on none of them.

#[doc(hidden)]
pub mod __private;
mod call;
mod cell;
mod config;
mod control;
mod cursor;
mod data;
mod device;
mod dispatch;
mod engine;
#[doc(hidden)] // for the torture, which drains without the second look
pub mod epoch;
mod error;
mod events;
mod gate;
mod gather;
mod grid;
mod helper;
mod lane;
mod module;
mod objects;
mod plan;
mod reduce;
mod section;
mod shared;
mod slots;
mod socket;
mod stats;
mod status;
mod switch;
mod sync;
mod workers;
mod worth;

use std::ops::Range;

pub use config::{Builder, DeviceKind, PlugOptions, Retry};
pub use control::client;
pub use data::DeviceData;
pub use device::State;
pub use engine::Engine;
pub use error::{Error, Result, Stalled};
pub use events::{Event, EventKind};
pub use grid::{Grid, parallel2};
pub use hotsled_patcher::{Options as PatchOptions, SingleStore, Traced, WritePath};
pub use objects::ObjectFault;
pub use reduce::{Mapped, Number, Parallel};
pub use stats::{CpuReason, SectionCounts};
pub use status::{DeviceStatus, ObjectStatus, SectionStatus, Status, Totals};
pub use worth::Offload;

/// Marks the loop of a section; without the attribute it is the plain sequential loop.
///
/// ```
/// let mut y = [1, 2, 3];
/// for i in hotsled::parallel(0..y.len()) {
///     y[i] += 1;
/// }
/// assert_eq!(y, [2, 3, 4]);
/// ```
pub fn parallel(range: Range<usize>) -> Parallel {
    Parallel::new(range)
}
