//! The scalar product, a reduction.

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "dot",
    source: "BLAS level 1; the sum of 1/k^2 is pi^2/6 less a tail (Euler 1735)",
    counts: "elements",
    size: 16 << 20,
    small: 400_000,
    // Another order of additions.
    tolerance: 1e-12,
    new: |n| Box::new(Dot::new(n)),
};

#[hotsled::section]
fn dot(x: &[f64], y: &[f64]) -> f64 {
    parallel(0..x.len()).map(|i| x[i] * y[i]).sum()
}

struct Dot {
    x: Vec<f64>,
    y: Vec<f64>,
    sum: [f64; 1],
}

impl Dot {
    fn new(n: usize) -> Self {
        let x: Vec<f64> = (1..=n).map(|k| 1.0 / k as f64).collect();
        Self {
            y: x.clone(),
            x,
            sum: [0.0],
        }
    }
}

impl Kernel for Dot {
    fn section(&mut self) {
        self.sum = [dot(&self.x, &self.y)];
    }

    fn rayon(&mut self) {
        let products = self.x.par_iter().zip(&self.y).map(|(x, y)| x * y);
        self.sum = [products.sum()];
    }

    fn values(&self) -> Values<'_> {
        Values::F64(&self.sum)
    }

    fn known(&self) -> Result<(), String> {
        let n = self.x.len() as f64;
        // Euler and Maclaurin's tail, to the third power.
        let tail = 1.0 / n - 0.5 / (n * n) + 1.0 / (6.0 * n * n * n);
        let wanted = std::f64::consts::PI.powi(2) / 6.0 - tail;
        known::close("sum", self.sum[0], wanted, 0.04 / n.powi(5) + 1e-12)
    }
}
