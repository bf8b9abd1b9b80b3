//! The time-stamp counter: a clock that costs a call less than the call.

use std::arch::x86_64::_rdtsc;
use std::time::{Duration, Instant};

/// Ticks by now.
pub fn now() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe { _rdtsc() }
}

/// Measures its rate.
pub fn ticks_per_ns() -> f64 {
    let (start, first) = (Instant::now(), now());
    std::thread::sleep(Duration::from_millis(20));
    let ticks = now() - first;
    ticks as f64 / start.elapsed().as_nanos() as f64
}
