//! Counts of bytes, in accumulators.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "histogram",
    source: "closed form: an odd multiplier visits every byte once in 256 steps",
    counts: "elements",
    size: 16 << 20,
    small: 60_000,
    tolerance: 0.0,
    new: |n| Box::new(Histogram::new(n)),
};

const BINS: usize = 256;
/// Odd.
const STRIDE: usize = 167;

#[hotsled::section]
fn histogram(data: &[u8], counts: &[AtomicU32]) {
    for i in parallel(0..data.len()) {
        counts[data[i] as usize].fetch_add(1, Relaxed);
    }
}

struct Histogram {
    data: Vec<u8>,
    counts: Vec<u32>,
}

impl Histogram {
    fn new(n: usize) -> Self {
        Self {
            data: (0..n).map(|i| (i * STRIDE) as u8).collect(),
            counts: vec![0; BINS],
        }
    }
}

impl Kernel for Histogram {
    fn section(&mut self) {
        let counts: Vec<_> = (0..BINS).map(|_| AtomicU32::new(0)).collect();
        histogram(&self.data, &counts);
        self.counts = counts.into_iter().map(AtomicU32::into_inner).collect();
    }

    fn rayon(&mut self) {
        let add = |mut counts: Vec<u32>, byte: &u8| {
            counts[usize::from(*byte)] += 1;
            counts
        };
        let merge = |a: Vec<u32>, b: Vec<u32>| a.iter().zip(b).map(|(a, b)| a + b).collect();
        let empty = || vec![0; BINS];
        self.counts = self.data.par_iter().fold(empty, add).reduce(empty, merge);
    }

    fn values(&self) -> Values<'_> {
        Values::U32(&self.counts)
    }

    fn known(&self) -> Result<(), String> {
        let (whole, rest) = (self.data.len() / BINS, self.data.len() % BINS);
        let mut wanted = [whole; BINS];
        (0..rest).for_each(|i| wanted[i * STRIDE % BINS] += 1);
        known::all(&self.counts, 0.0, |bin| wanted[bin] as f64)
    }
}
