//! Whether a call repays the way to a device: first by measured parts, then by what calls have come to.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hotsled_link::DeviceInfo;

use crate::cell::SectionCell;

/// A call is offered when the CPU would take this many times as long as the empty way to the device
/// and back.
const FACTOR: f64 = 4.0;
/// Elements while the section's cost on the CPU is not measured.
const UNMEASURED: u64 = 16 << 10;

/// Which calls are offered to devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Those that repay it, as far as can be told; one in a while tries whether that has changed.
    #[default]
    Measured,
    /// All that a device can run, whatever they cost: to check or to measure devices.
    Always,
}

/// [`Offload::Always`].
static ALWAYS: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_offload(offload: Offload) {
    ALWAYS.store(offload == Offload::Always, Relaxed);
}

/// Sets the section's measured size from its cost on the CPU and a device's round trip.
pub(crate) fn update(cell: &SectionCell, round_trip: Duration, info: &DeviceInfo) {
    cell.experience().forget();
    cell.set_device_from(Some(repaying(cell, round_trip, info)));
}

/// Corrects that size while the section is offered.
pub(crate) fn correct(cell: &SectionCell, round_trip: Duration, info: &DeviceInfo) {
    cell.correct_device_from(repaying(cell, round_trip, info));
}

fn repaying(cell: &SectionCell, round_trip: Duration, info: &DeviceInfo) -> u64 {
    if ALWAYS.load(Relaxed) {
        return 1;
    }
    let way = round_trip + 3 * Duration::from_nanos(info.latency_ns); // in, launch, out
    let elements = match cell.ns_per_element() {
        Some(ns) => (way.as_nanos() as f64 * FACTOR / ns.max(1e-3)) as u64,
        None => UNMEASURED,
    };
    elements.max(1)
}

/// Calls that stay on the CPU after the first that did not repay; four times as many after each further one.
const FIRST_PAUSE: u32 = 16;
/// No pause is longer.
const LONGEST_PAUSE: u32 = 4096;
/// A call that took this many times what the CPU alone takes has not repaid.
const TOLERANCE: f64 = 1.25;
/// Nor is a difference counted that is shorter.
const SLACK: Duration = Duration::from_micros(100);

/// What calls of one section have shown. The measured size leaves out what a call uploads, how fast the device
/// is, and how many threads would share the work: a call that waited longer for its device than all that saved
/// tells.
#[derive(Debug)]
pub(crate) struct Experience {
    /// Calls shorter than this have not repaid; zero: none that is known.
    from: AtomicU64,
    /// Calls that stay on the CPU before the next trial.
    pause: AtomicU32,
    /// Calls that did, since the last trial.
    passed: AtomicU32,
}

impl Experience {
    pub(crate) const fn new() -> Self {
        Self {
            from: AtomicU64::new(0),
            pause: AtomicU32::new(0),
            passed: AtomicU32::new(0),
        }
    }

    /// Another device has come.
    pub(crate) fn forget(&self) {
        self.from.store(0, Relaxed);
        self.pause.store(0, Relaxed);
    }

    /// Whether a call of so many elements should be offered: longer than those that did not repay, or due as
    /// a trial.
    pub(crate) fn speaks_for(&self, elements: u64) -> bool {
        if elements >= self.from.load(Relaxed) || ALWAYS.load(Relaxed) {
            return true;
        }
        let passed = self.passed.fetch_add(1, Relaxed) + 1;
        let due = passed > self.pause.load(Relaxed);
        if due {
            self.passed.store(0, Relaxed);
        }
        due
    }

    /// A call took part of its results from a device; the CPU alone would have taken `without`.
    pub(crate) fn learn(&self, elements: u64, took: Duration, without: Duration) {
        if took > without.mul_f64(TOLERANCE) + SLACK {
            let longer = self.pause.load(Relaxed).saturating_mul(4);
            self.pause
                .store(longer.clamp(FIRST_PAUSE, LONGEST_PAUSE), Relaxed);
            self.from.fetch_max(elements.saturating_mul(2), Relaxed);
        } else if elements < self.from.load(Relaxed) {
            self.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device on which every call takes so many times what it takes without; the time of `calls` calls
    /// beside that without.
    fn cost(experience: &Experience, slower: f64, calls: u32) -> f64 {
        let without = Duration::from_millis(2);
        let took = |offered| match offered {
            true => without.mul_f64(slower),
            false => without,
        };
        let mut all = Duration::ZERO;
        for _ in 0..calls {
            let offered = experience.speaks_for(1000);
            all += took(offered);
            if offered {
                experience.learn(1000, took(offered), without);
            }
        }
        all.as_secs_f64() / (without * calls).as_secs_f64()
    }

    #[test]
    fn a_slow_device_costs_a_small_share() {
        assert!(cost(&Experience::new(), 15.0, 20_000) < 1.01);
        assert!(cost(&Experience::new(), 1.5, 1000) < 1.01);
    }

    #[test]
    fn a_fast_device_is_always_used() {
        assert!((cost(&Experience::new(), 0.25, 1000) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn a_device_that_became_fast_is_found() {
        let experience = Experience::new();
        cost(&experience, 15.0, 200);
        assert!(cost(&experience, 0.5, 4 * LONGEST_PAUSE) < 0.8);
        assert!((cost(&experience, 0.5, 100) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn longer_calls_and_another_device_are_tried() {
        let experience = Experience::new();
        experience.learn(1000, Duration::from_secs(1), Duration::from_millis(1));
        assert!(!experience.speaks_for(1999) && experience.speaks_for(2000));
        experience.forget();
        assert!(experience.speaks_for(1));
    }
}
