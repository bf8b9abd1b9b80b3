//! What accumulators are not.

use hotsled::parallel;
use std::sync::atomic::{AtomicU32, Ordering};

#[hotsled::section]
pub fn misused(x: &[f32], counts: &[AtomicU32], y: &mut [u32]) {
    counts[0].fetch_add(1, Ordering::Relaxed);
    for i in parallel(0..y.len()) {
        counts[i].fetch_add(1, Ordering::Relaxed);
        counts[i].fetch_max(1, Ordering::Relaxed);
        counts[i].fetch_add(1, Ordering::SeqCst);
        counts[i].fetch_add(x[i], Ordering::Relaxed);
        counts[i].store(1, Ordering::Relaxed);
        let old = counts[i].fetch_add(1, Ordering::Relaxed);
        y[i] = counts[i].load(Ordering::Relaxed);
        let v = counts[i];
    }
}

#[hotsled::section]
pub fn shared(counts: &mut [AtomicU32], ratios: &[AtomicF32], y: &mut [u32]) {
    for i in parallel(0..y.len()) {
        y[i] = 1;
    }
}

fn main() {}
