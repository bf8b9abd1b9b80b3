//! The state of one section, in a static of the binary that defines it.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hotsled_abi::{ArgBlock, EntryFn, Module, SiteId};

use crate::module::{Grains, MODULE, OWN_GRAINS, Panic};
use crate::stats::SectionStats;
use crate::worth::Experience;

/// The section is never offered to a device (`#[section(cpu)]`).
pub const FLAG_PINNED_CPU: u32 = 1;
/// Never offered to a device that accepts inexact operations (`#[section(exact)]`).
pub const FLAG_EXACT: u32 = 1 << 1;
/// CPU code may differ from devices in the last bits of math functions (`#[section(fast)]`).
pub const FLAG_FAST: u32 = 1 << 2;

/// Time a grain should take: long enough that taking it costs nothing, short enough that a plug or
/// an unplug takes effect soon.
const GRAIN: Duration = Duration::from_micros(100);
/// Calls predicted to be shorter run inline: waking a helper costs about as much.
const INLINE: Duration = Duration::from_micros(20);
/// Elements of a grain while nothing is measured yet.
const FIRST_GRAIN: u64 = 4096;
/// Grains are multiples of this many elements, so that neighbours share few cache lines.
const GRAIN_UNIT: u64 = 64;
/// Grains a worker should get at least, for balance.
const GRAINS_PER_WORKER: u64 = 4;

/// One section's state. The section macro makes exactly one static of it per section.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct SectionCell {
    entry: EntryFn,
    body: EntryFn,
    grains: Grains,
    /// Takes this copy's note and hooks into every link that has a section.
    _copy: &'static Module,
    flags: AtomicU32,
    /// Site number plus one; zero until registered.
    number: AtomicU32,
    /// Measured thread time per element in picoseconds; zero while unknown.
    cost: AtomicU64,
    /// Shortest range worth a device; `u64::MAX` while none is bound.
    device_from: AtomicU64,
    experience: Experience,
    stats: SectionStats,
}

impl SectionCell {
    /// The cell of a section that has not run yet.
    pub const fn new(entry: EntryFn, body: EntryFn, flags: u32) -> Self {
        Self::with(entry, body, flags, OWN_GRAINS)
    }

    /// The engine's cell of a section in another copy's object.
    pub(crate) fn standing_for(entry: EntryFn, body: EntryFn, grains: Grains) -> Self {
        Self::with(entry, body, 0, grains)
    }

    const fn with(entry: EntryFn, body: EntryFn, flags: u32, grains: Grains) -> Self {
        Self {
            entry,
            body,
            grains,
            _copy: &MODULE,
            flags: AtomicU32::new(flags),
            number: AtomicU32::new(0),
            cost: AtomicU64::new(0),
            device_from: AtomicU64::new(u64::MAX),
            experience: Experience::new(),
            stats: SectionStats::new(),
        }
    }

    /// Number of its site, once an engine has read the site table.
    pub fn site(&self) -> Option<SiteId> {
        self.number
            .load(Ordering::Relaxed)
            .checked_sub(1)
            .map(SiteId)
    }

    pub(crate) fn register(&self, site: SiteId) {
        self.number.store(site.0 + 1, Ordering::Relaxed);
    }

    pub(crate) fn entry(&self) -> EntryFn {
        self.entry
    }

    pub(crate) fn body(&self) -> EntryFn {
        self.body
    }

    /// Runs its entry or body over a grain, in the section's own object; the panic, if it ended in one.
    ///
    /// # Safety
    /// `code` is [`Self::entry`] or [`Self::body`], a call of the section is running, `args` is its block,
    /// and nobody else has `start..end`.
    pub(crate) unsafe fn run(
        &self,
        code: EntryFn,
        args: &ArgBlock,
        range: &Range<u64>,
    ) -> Option<Panic> {
        // SAFETY: a running call keeps the section's object mapped; the rest is the caller's promise.
        unsafe { self.grains.run(code, args, range.start, range.end) }
    }

    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// Adds flags that the section's object states.
    pub(crate) fn set_flags(&self, flags: u32) {
        self.flags.fetch_or(flags, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> &SectionStats {
        &self.stats
    }

    pub(crate) fn experience(&self) -> &Experience {
        &self.experience
    }

    /// What a call of so many elements takes on so many threads of the CPU, if any call was measured.
    pub(crate) fn time_on_cpu(&self, elements: u64, threads: u64) -> Option<Duration> {
        let ns = self.ns_per_element()? * elements as f64 / threads.max(1) as f64;
        Some(Duration::from_nanos(ns as u64))
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.flags() & FLAG_PINNED_CPU != 0
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.flags() & FLAG_EXACT != 0
    }

    pub(crate) fn is_fast(&self) -> bool {
        self.flags() & FLAG_FAST != 0
    }

    pub(crate) fn pin(&self) {
        self.set_flags(FLAG_PINNED_CPU);
    }

    /// Shortest range worth a device, if one is bound that takes this section.
    pub(crate) fn device_from(&self) -> Option<u64> {
        Some(self.device_from.load(Ordering::Relaxed)).filter(|&n| n != u64::MAX)
    }

    /// `None`: no device takes this section.
    pub(crate) fn set_device_from(&self, elements: Option<u64>) {
        self.device_from
            .store(elements.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Corrects it, unless no device takes this section.
    ///
    /// A lane learns from its last chunks after its device was withdrawn; that offers nothing anew.
    pub(crate) fn correct_device_from(&self, elements: u64) {
        let correct = |old| (old != u64::MAX).then_some(elements);
        // An error means that it was withdrawn.
        let _ = self
            .device_from
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, correct);
    }

    /// Measured nanoseconds of one thread per element, if any call was measured.
    pub fn ns_per_element(&self) -> Option<f64> {
        let ps = self.cost.load(Ordering::Relaxed);
        (ps != 0).then(|| ps as f64 / 1e3)
    }

    /// Adds a measurement of one thread to the running average (weight 1/4; races lose a sample).
    pub(crate) fn measured(&self, elements: u64, time: Duration) {
        if elements == 0 {
            return;
        }
        let new = (time.as_nanos() as u64).saturating_mul(1000) / elements;
        let old = self.cost.load(Ordering::Relaxed);
        let next = if old == 0 {
            new
        } else {
            old - old / 4 + new / 4
        };
        self.cost.store(next.max(1), Ordering::Relaxed);
    }

    /// Whether a range should run as one grain in the caller.
    pub(crate) fn runs_inline(&self, elements: u64) -> bool {
        let limit = self.elements_in(INLINE).unwrap_or(FIRST_GRAIN);
        elements <= limit.max(GRAIN_UNIT) && elements < self.device_from.load(Ordering::Relaxed)
    }

    /// Elements of one grain of a call of `elements` over `workers` threads.
    pub(crate) fn grain(&self, elements: u64, workers: u64) -> u64 {
        let timed = self.elements_in(GRAIN).unwrap_or(FIRST_GRAIN);
        let balanced = elements.div_ceil(workers.max(1) * GRAINS_PER_WORKER);
        timed.min(balanced).max(1).next_multiple_of(GRAIN_UNIT)
    }

    fn elements_in(&self, time: Duration) -> Option<u64> {
        let ps = self.cost.load(Ordering::Relaxed);
        (ps != 0).then(|| time.as_nanos() as u64 * 1000 / ps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C-unwind" fn nothing(_: *const ArgBlock, _: u64, _: u64) {}

    fn cell() -> SectionCell {
        SectionCell::new(nothing, nothing, 0)
    }

    #[test]
    fn grains_follow_the_measured_cost() {
        let cell = cell();
        assert_eq!(cell.grain(1 << 20, 2), 4096);
        cell.measured(1000, Duration::from_micros(1000)); // 1 us an element
        assert_eq!(cell.grain(1 << 20, 2), 128);
        assert_eq!(cell.grain(100, 2), 64);
    }

    #[test]
    fn what_a_lane_learns_late_does_not_offer_a_withdrawn_section() {
        let cell = cell();
        cell.set_device_from(Some(150));
        cell.correct_device_from(90);
        assert_eq!(cell.device_from(), Some(90));
        cell.set_device_from(None);
        cell.correct_device_from(80);
        assert_eq!(cell.device_from(), None);
    }

    #[test]
    fn short_calls_run_inline_unless_a_device_wants_them() {
        let cell = cell();
        cell.measured(1000, Duration::from_micros(100)); // 0.1 us an element
        assert!(cell.runs_inline(200) && !cell.runs_inline(201));
        cell.set_device_from(Some(150));
        assert!(cell.runs_inline(149) && !cell.runs_inline(150));
    }
}
