//! Sparse matrix times vector, rows compressed.

use hotsled::parallel;
use rayon::prelude::*;

use crate::data::half_wave;
use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "spmv-csr",
    source: "five-point Laplacian: sine waves are its eigenvectors (LeVeque 2007, section 3.4)",
    counts: "points of a side",
    size: 1280,
    small: 160,
    tolerance: 0.0,
    new: |n| Box::new(Spmv::new(n)),
};

#[hotsled::section]
fn spmv_csr(starts: &[u32], columns: &[u32], values: &[f64], x: &[f64], y: &mut [f64]) {
    for i in parallel(0..y.len()) {
        let mut sum = 0.0;
        for k in starts[i] as usize..starts[i + 1] as usize {
            sum += values[k] * x[columns[k] as usize];
        }
        y[i] = sum;
    }
}

/// The Laplacian of the inner points of a square with zero rim; `x` is its lowest wave.
struct Spmv {
    n: usize,
    starts: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Spmv {
    fn new(n: usize) -> Self {
        let wave = &half_wave(n + 2)[1..=n];
        let mut new = Self {
            n,
            starts: vec![0],
            columns: Vec::new(),
            values: Vec::new(),
            x: (0..n * n).map(|i| wave[i / n] * wave[i % n]).collect(),
            y: vec![0.0; n * n],
        };
        (0..n * n).for_each(|i| new.push_row(i));
        new
    }

    fn push_row(&mut self, i: usize) {
        let (n, row, column) = (self.n, i / self.n, i % self.n);
        let neighbours = [
            (row > 0, i.wrapping_sub(n), -1.0),
            (column > 0, i.wrapping_sub(1), -1.0),
            (true, i, 4.0),
            (column < n - 1, i + 1, -1.0),
            (row < n - 1, i + n, -1.0),
        ];
        for (_, at, value) in neighbours.into_iter().filter(|entry| entry.0) {
            self.columns.push(at as u32);
            self.values.push(value);
        }
        self.starts.push(self.values.len() as u32);
    }
}

impl Kernel for Spmv {
    fn section(&mut self) {
        let (starts, columns, values) = (&self.starts, &self.columns, &self.values);
        spmv_csr(starts, columns, values, &self.x, &mut self.y);
    }

    fn rayon(&mut self) {
        let (columns, values, x) = (&self.columns, &self.values, &self.x);
        let rows = self.y.par_iter_mut().zip(self.starts.par_windows(2));
        rows.for_each(|(y, ends)| {
            let row = ends[0] as usize..ends[1] as usize;
            let entries = values[row.clone()].iter().zip(&columns[row]);
            *y = entries.fold(0.0, |sum, (v, column)| sum + v * x[*column as usize]);
        });
    }

    fn values(&self) -> Values<'_> {
        Values::F64(&self.y)
    }

    fn known(&self) -> Result<(), String> {
        let step = std::f64::consts::PI / (self.n + 1) as f64;
        let eigenvalue = 8.0 * (step / 2.0).sin().powi(2);
        known::all(&self.y, 1e-13, |i| eigenvalue * self.x[i])
    }
}
