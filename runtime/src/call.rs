//! One running call of a section: its range, who works on it, what came back.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hotsled_abi::{ArgBlock, ArgSlot};
use parking_lot::Mutex;

use crate::cell::SectionCell;
use crate::cursor::Cursor;
use crate::gate::{Close, Gate};
use crate::module::Panic;
use crate::workers;

/// A call that more than one thread may work on.
///
/// Safety invariant: `block` points at slots on the caller's stack, which stay valid until
/// [`Gate::close`] has succeeded; only who is inside the gate, or is the caller, may use it.
pub(crate) struct Call {
    cell: &'static SectionCell,
    cursor: Cursor,
    grain: u64,
    gate: Gate,
    block: ArgBlock,
    /// Grains that a device did not finish; run by the CPU body, also after a panic.
    returned: Mutex<Vec<Range<u64>>>,
    /// First index of the grain that panicked, and its panic.
    panic: Mutex<Option<(u64, Panic)>>,
    device_chunks: AtomicU64,
    lost: AtomicBool,
    elements: u64,
    /// Whether devices may have a part of it; decided when the first grain asks.
    offered: OnceLock<bool>,
}

/// Runs a section over `range`, which is not empty; the panic with the lowest index, if any.
pub(crate) fn run(
    cell: &'static SectionCell,
    slots: &[ArgSlot],
    range: Range<u64>,
) -> Option<Panic> {
    if cell.runs_inline(range.end - range.start) || workers::stayed_behind() {
        run_inline(cell, slots, range)
    } else {
        Call::run(cell, slots, range)
    }
}

/// One grain in the caller: no cursor, no allocation, nobody woken.
fn run_inline(cell: &SectionCell, slots: &[ArgSlot], range: Range<u64>) -> Option<Panic> {
    let block = ArgBlock {
        call: std::ptr::null(),
        slots: slots.as_ptr(),
        len: slots.len() as u64,
    };
    let (stats, elements) = (cell.stats(), range.end - range.start);
    stats.calls.add(1);
    stats.calls_cpu.add(1);
    stats.elements_cpu.add(elements);
    let started = Instant::now();
    // SAFETY: the slots were made from the arguments of this very section, which outlive the call, and
    // nobody else works on the range.
    let panic = unsafe { cell.run(cell.entry(), &block, &range) };
    cell.measured(elements, started.elapsed());
    panic
}

// SAFETY: the raw pointers in `block` are used under the invariant above; what they point at are
// `&[T]`, disjoint parts of `&mut [T]`, atomics and scalars of plain element types, all Send and Sync.
unsafe impl Send for Call {}
// SAFETY: as for Send.
unsafe impl Sync for Call {}

impl Call {
    /// Runs `range` to its end over the caller and the pool's helpers, and through devices where
    /// sleds are patched; the panic with the lowest index, if any.
    fn run(cell: &'static SectionCell, slots: &[ArgSlot], range: Range<u64>) -> Option<Panic> {
        let pool = workers::pool();
        let threads = pool.current_num_threads() as u64;
        let elements = range.end - range.start;
        let grain = cell.grain(elements, threads);
        let call = Arc::new_cyclic(|this: &std::sync::Weak<Self>| Self {
            cell,
            cursor: Cursor::new(range),
            grain,
            gate: Gate::default(),
            block: ArgBlock {
                call: this.as_ptr().cast(),
                slots: slots.as_ptr(),
                len: slots.len() as u64,
            },
            returned: Mutex::default(),
            panic: Mutex::default(),
            device_chunks: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            elements,
            offered: OnceLock::new(),
        });
        let began = Instant::now();
        call.invite(
            elements
                .div_ceil(grain)
                .saturating_sub(1)
                .min(threads.saturating_sub(1)),
        );
        call.work();
        let panic = call.finish();
        call.tell(began.elapsed(), threads);
        panic
    }

    /// Tells whether a device has made the call any faster.
    fn tell(&self, took: Duration, threads: u64) {
        let helped = self.device_chunks.load(Ordering::Relaxed) > 0;
        if !helped || self.lost.load(Ordering::Relaxed) {
            return;
        }
        if let Some(without) = self.cell.time_on_cpu(self.elements, threads) {
            self.cell.experience().learn(self.elements, took, without);
        }
    }

    /// Whether devices may have a part of it, by what calls of its section have come to.
    pub(crate) fn is_offered(&self) -> bool {
        let decide = || self.cell.experience().speaks_for(self.elements);
        *self.offered.get_or_init(decide)
    }

    /// The call that a dispatched grain belongs to, or `None` for one that runs inline.
    ///
    /// # Safety
    /// `args` is the block that this grain's entry was called with, and the grain is running.
    pub(crate) unsafe fn of(args: *const ArgBlock) -> Option<Arc<Call>> {
        // SAFETY: the block is valid while the grain runs.
        let call = unsafe { (*args).call }.cast::<Call>();
        if call.is_null() {
            return None;
        }
        // SAFETY: `call` came from the Arc that the grain's runner holds, so the count is not zero.
        unsafe { Arc::increment_strong_count(call) };
        // SAFETY: the count was just raised for this handle.
        Some(unsafe { Arc::from_raw(call) })
    }

    /// Elements of the whole call.
    pub(crate) fn elements(&self) -> u64 {
        self.elements
    }

    pub(crate) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The arguments; usable only inside the gate.
    pub(crate) fn block(&self) -> &ArgBlock {
        &self.block
    }

    /// The parameter slots; usable only inside the gate.
    ///
    /// # Safety
    /// The caller of this is inside the gate, and uses the slice only while it is.
    pub(crate) unsafe fn slots(&self) -> &[ArgSlot] {
        // SAFETY: by the invariant, who is inside the gate may read the slots.
        unsafe { std::slice::from_raw_parts(self.block.slots, self.block.len as usize) }
    }

    /// Asks `helpers` tasks of the pool to join.
    fn invite(self: &Arc<Self>, helpers: u64) {
        let pool = workers::pool();
        for _ in 0..helpers {
            let call = Arc::clone(self);
            pool.spawn(move || {
                if let Some(_inside) = call.gate.enter() {
                    call.work();
                }
            });
        }
    }

    /// Takes and runs grains until none is left. The runner is the caller or inside the gate.
    fn work(&self) {
        let started = Instant::now();
        let mut elements = 0;
        loop {
            if let Some(range) = self.cursor.take(self.grain) {
                elements += range.end - range.start;
                self.run_grain(self.cell.entry(), range);
            } else if let Some(range) = self.take_returned() {
                elements += range.end - range.start;
                self.run_grain(self.cell.body(), range);
            } else {
                break;
            }
        }
        self.cell.stats().elements_cpu.add(elements);
        if self.device_chunks.load(Ordering::Relaxed) == 0 && !self.lost.load(Ordering::Relaxed) {
            self.cell.measured(elements, started.elapsed());
        }
    }

    fn run_grain(&self, code: hotsled_abi::EntryFn, range: Range<u64>) {
        // SAFETY: entry and body take the block of a running call and a sub-range nobody else has;
        // the runner is the caller or inside the gate, so the block is valid.
        let panic = unsafe { self.cell.run(code, &self.block, &range) };
        if let Some(panic) = panic {
            self.panicked(range.start, panic);
        }
    }

    /// Keeps the panic of the lowest grain; nobody takes new grains, returned ones still run
    /// because they may lie lower.
    pub(crate) fn panicked(&self, grain: u64, panic: Panic) {
        self.cursor.close();
        let mut lowest = self.panic.lock();
        if lowest.as_ref().is_none_or(|(at, _)| grain < *at) {
            *lowest = Some((grain, panic));
        }
    }

    fn take_returned(&self) -> Option<Range<u64>> {
        self.returned.lock().pop()
    }

    /// Hands back a range that a device did not finish. The giver is inside the gate.
    pub(crate) fn hand_back(self: &Arc<Self>, range: Range<u64>) {
        let grains = split(range, self.grain);
        let helpers = (grains.len() as u64).min(workers::pool().current_num_threads() as u64);
        self.returned.lock().extend(grains.into_iter().rev());
        self.gate.ring();
        self.invite(helpers.saturating_sub(1));
    }

    /// A device has published the results of a chunk.
    pub(crate) fn committed(&self, elements: u64) {
        self.device_chunks.fetch_add(1, Ordering::Relaxed);
        self.cell.stats().chunks_device.add(1);
        self.cell.stats().elements_device.add(elements);
    }

    /// A device went with a chunk of this call.
    pub(crate) fn lost_device(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.cell.stats().chunks_replayed.add(1);
    }

    /// Waits until nobody is inside and nothing was handed back, closes the gate, and settles.
    fn finish(&self) -> Option<Panic> {
        loop {
            self.work();
            match self.gate.close() {
                Close::Closed if self.returned.lock().is_empty() => break,
                Close::Closed => {} // handed back just before its giver left: run it here
                Close::Busy(_) => self.gate.wait(Duration::from_millis(100)),
            }
        }
        let stats = self.cell.stats();
        stats.calls.add(1);
        let by_device = self.device_chunks.load(Ordering::Relaxed) > 0;
        if by_device {
            stats.calls_device.add(1)
        } else {
            stats.calls_cpu.add(1)
        }
        self.panic.lock().take().map(|(_, panic)| panic)
    }
}

/// Cuts a range into grains, ascending.
fn split(range: Range<u64>, grain: u64) -> Vec<Range<u64>> {
    let mut grains = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let end = at.saturating_add(grain).min(range.end);
        grains.push(at..end);
        at = end;
    }
    grains
}
