//! What the section macro's output uses, and nobody else.

use std::ops::Range;
use std::ptr::NonNull;

pub use hotsled_abi::{
    ArgBlock, ArgSlot, array_len, arrays_fit, assemble, concat, concat_len, number, record_len,
};
use hotsled_abi::{EngineTable, SiteId};
pub use hotsled_ir::{AccOp, math};

pub use crate::cell::{FLAG_EXACT, FLAG_FAST, FLAG_PINNED_CPU, SectionCell};

pub use crate::data::data;
pub use crate::gather::{Bin, Gathered, gathering_pays, shared_bins};
pub use crate::grid::{GridView, cells};
pub use crate::helper::{DeviceFn, no_helper};
pub use crate::reduce::{Number, fold_leaf, leaves, tree};
pub use crate::slots::{bounds_panic, input, input_slot, own, own_at, own_slot, slots};

use crate::call;
use crate::module::{self, Panic};

/// A record in its section, aligned.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Record<const N: usize>(pub [u8; N]);

/// Runs a section over `range` and returns when every index is done.
///
/// # Panics
/// With the panic of the lowest index whose body panicked.
pub fn run<const N: usize>(cell: &'static SectionCell, range: Range<usize>, slots: [ArgSlot; N]) {
    let (start, end) = (range.start as u64, range.end as u64);
    if start >= end {
        return;
    }
    let engine = module::joined().and_then(|engine| Some((engine, cell.site()?)));
    let panic = match engine {
        Some((engine, site)) => run_there(engine, site, &slots, start..end),
        None => call::run(cell, &slots, start..end),
    };
    if let Some(panic) = panic {
        panic.resume()
    }
}

/// In the engine of another copy, which has numbered this section.
fn run_there(
    engine: &EngineTable,
    site: SiteId,
    slots: &[ArgSlot],
    range: Range<u64>,
) -> Option<Panic> {
    let Range { start, end } = range;
    // SAFETY: the macro made the slots from the arguments of this very section, which outlive the call.
    let raw = unsafe { (engine.run)(site.0, slots.as_ptr(), slots.len(), start, end) };
    // SAFETY: the engine hands back a panic of this copy's `run_grain`, once.
    NonNull::new(raw).map(|raw| unsafe { Panic::from_raw(raw) })
}
