//! What the section macro's output uses, and nobody else.

use std::ops::Range;
use std::time::Instant;

pub use hotsled_abi::{ArgBlock, ArgSlot, assemble, concat, concat_len, record_len};
pub use hotsled_ir::math;

pub use crate::cell::{FLAG_PINNED_CPU, SectionCell};

pub use crate::grid::{GridView, cells};
pub use crate::reduce::{Number, fold_leaf, leaves, tree};
pub use crate::slots::{bounds_panic, input, input_slot, own, own_at, own_slot, slots};

use crate::call::Call;
use crate::workers;

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
    if cell.runs_inline(end - start) || workers::stayed_behind() {
        run_inline(cell, &slots, start..end);
    } else {
        Call::run(cell, &slots, start..end);
    }
}

/// One grain in the caller: no cursor, no allocation, nobody woken.
fn run_inline(cell: &SectionCell, slots: &[ArgSlot], range: Range<u64>) {
    let Range { start, end } = range;
    let block = ArgBlock {
        call: std::ptr::null(),
        slots: slots.as_ptr(),
        len: slots.len() as u64,
    };
    let stats = cell.stats();
    stats.calls.add(1);
    stats.calls_cpu.add(1);
    stats.elements_cpu.add(end - start);
    let started = Instant::now();
    // SAFETY: the macro made the slots from the arguments of this very section, which outlive the
    // call, and nobody else works on the range.
    unsafe { (cell.entry())(&block, start, end) };
    cell.measured(end - start, started.elapsed());
}
