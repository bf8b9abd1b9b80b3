//! Bitonic sorting, one step of compare and exchange after the other.

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "bitonic",
    source: "Batcher 1968; an odd multiplier permutes 0..n, so element i of the result is i",
    counts: "keys, to the next power of two",
    size: 1 << 18,
    small: 1 << 13,
    tolerance: 0.0,
    new: |n| Box::new(Sort::new(n)),
};

/// Keys that differ in the bit `apart` are ordered: upwards where the bit `run` of the index is clear.
#[hotsled::section]
fn bitonic(run: usize, apart: usize, from: &[u32], to: &mut [u32]) {
    for i in parallel(0..to.len()) {
        let (own, other) = (from[i], from[i ^ apart]);
        let upwards = i & run == 0;
        let first = i & apart == 0;
        to[i] = if upwards == first {
            own.min(other)
        } else {
            own.max(other)
        };
    }
}

struct Sort {
    keys: Vec<u32>,
    next: Vec<u32>,
}

impl Sort {
    fn new(n: usize) -> Self {
        let n = n.next_power_of_two();
        let key = |i: usize| (i.wrapping_mul(2654435761) & (n - 1)) as u32;
        Self {
            keys: (0..n).map(key).collect(),
            next: vec![0; n],
        }
    }

    /// Every step of the network: the run's length, and how far apart keys are.
    fn steps(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let runs = (1..=self.keys.len().trailing_zeros()).map(|k| 1 << k);
        runs.flat_map(|run: usize| {
            let aparts = (0..run.trailing_zeros()).rev();
            aparts.map(move |k| (run, 1 << k))
        })
    }
}

/// The same step, apart from the section.
fn step(run: usize, apart: usize, from: &[u32], to: &mut [u32]) {
    to.par_iter_mut().enumerate().for_each(|(i, to)| {
        let mut pair = [from[i], from[i ^ apart]];
        pair.sort_unstable();
        let is_upper = i & apart != 0;
        let downwards = i & run != 0;
        *to = pair[usize::from(is_upper != downwards)];
    });
}

impl Kernel for Sort {
    fn section(&mut self) {
        for (run, apart) in self.steps() {
            bitonic(run, apart, &self.keys, &mut self.next);
            std::mem::swap(&mut self.keys, &mut self.next);
        }
    }

    fn rayon(&mut self) {
        for (run, apart) in self.steps() {
            step(run, apart, &self.keys, &mut self.next);
            std::mem::swap(&mut self.keys, &mut self.next);
        }
    }

    fn values(&self) -> Values<'_> {
        Values::U32(&self.keys)
    }

    fn known(&self) -> Result<(), String> {
        known::all(&self.keys, 0.0, |i| i as f64)
    }
}
