//! `y = a * x + y`.

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "saxpy",
    source: "BLAS level 1 (Lawson et al. 1979); small whole numbers, so the sums are exact",
    counts: "elements",
    size: 16 << 20,
    small: 30_000,
    tolerance: 0.0,
    new: |n| Box::new(Saxpy::new(n)),
};

const A: f32 = 3.0;

#[hotsled::section]
fn saxpy(a: f32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = a * x[i] + y[i];
    }
}

struct Saxpy {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Saxpy {
    fn new(n: usize) -> Self {
        Self {
            x: (0..n).map(|i| (i % 1000) as f32).collect(),
            y: (0..n).map(|i| (i % 7) as f32).collect(),
        }
    }
}

impl Kernel for Saxpy {
    fn section(&mut self) {
        saxpy(A, &self.x, &mut self.y);
    }

    fn rayon(&mut self) {
        let pairs = self.y.par_iter_mut().zip(&self.x);
        pairs.for_each(|(y, x)| *y += A * x);
    }

    fn values(&self) -> Values<'_> {
        Values::F32(&self.y)
    }

    fn known(&self) -> Result<(), String> {
        known::all(&self.y, 0.0, |i| (3 * (i % 1000) + i % 7) as f64)
    }
}
