//! Matrix times vector.

use std::f64::consts::TAU;

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "gemv",
    source: "BLAS level 2; every row is PolyBench's (i + j) % n / n, so a cosine gives a geometric series",
    counts: "rows",
    size: 4096,
    small: 400,
    tolerance: 0.0,
    new: |n| Box::new(Gemv::new(n)),
};

#[hotsled::section]
fn gemv(a: &[f64], x: &[f64], y: &mut [f64]) {
    for i in parallel(0..y.len()) {
        let row = i * x.len();
        let mut sum = 0.0;
        for j in 0..x.len() {
            sum += a[row + j] * x[j];
        }
        y[i] = sum;
    }
}

struct Gemv {
    a: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Gemv {
    fn new(n: usize) -> Self {
        let entry = |i: usize| ((i / n + i % n) % n) as f64 / n as f64;
        Self {
            a: (0..n * n).map(entry).collect(),
            x: (0..n).map(|j| (TAU * j as f64 / n as f64).cos()).collect(),
            y: vec![0.0; n],
        }
    }
}

impl Kernel for Gemv {
    fn section(&mut self) {
        gemv(&self.a, &self.x, &mut self.y);
    }

    fn rayon(&mut self) {
        let x = &self.x;
        let rows = self.y.par_iter_mut().zip(self.a.par_chunks(x.len()));
        rows.for_each(|(y, row)| *y = row.iter().zip(x).fold(0.0, |sum, (a, x)| sum + a * x));
    }

    fn values(&self) -> Values<'_> {
        Values::F64(&self.y)
    }

    fn known(&self) -> Result<(), String> {
        let n = self.x.len() as f64;
        let angle = TAU / n;
        let slope = 1.0 / (angle / 2.0).tan();
        // The real part of e^(-i angle) times the sum of k w^k, which is n / (w - 1).
        let wanted = |i: usize| {
            let turned = angle * i as f64;
            -(turned.cos() + turned.sin() * slope) / 2.0
        };
        known::all(&self.y, 1e-11 * n, wanted)
    }
}
