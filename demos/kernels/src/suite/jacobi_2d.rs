//! Sweeps of the mean of a point and its four neighbours.

use hotsled::{Grid, parallel2};
use rayon::prelude::*;

use crate::data::half_wave;
use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "jacobi-2d",
    source: "PolyBench/C jacobi-2d; a half wave keeps its shape and shrinks by (1 + 4 cos t) / 5 a sweep",
    counts: "points of a side",
    size: 1024,
    small: 160,
    tolerance: 0.0,
    new: |n| Box::new(Jacobi::new(n)),
};

const SWEEPS: usize = 20;

#[hotsled::section]
fn jacobi_2d(a: &Grid<f64>, b: &mut Grid<f64>) {
    for (r, c) in parallel2(1..a.rows() - 1, 1..a.cols() - 1) {
        let beside = a[(r, c)] + a[(r, c - 1)] + a[(r, c + 1)];
        b[(r, c)] = 0.2 * (beside + a[(r + 1, c)] + a[(r - 1, c)]);
    }
}

struct Jacobi {
    n: usize,
    a: Grid<f64>,
    /// Its rim is that of `a`, and stays.
    b: Grid<f64>,
}

impl Jacobi {
    fn new(n: usize) -> Self {
        let wave = half_wave(n);
        let a = (0..n * n).map(|i| wave[i / n] * wave[i % n]).collect();
        let a = Grid::from_cells(a, n).expect("whole rows");
        Self { n, b: a.clone(), a }
    }
}

fn sweep(n: usize, a: &[f64], b: &mut [f64]) {
    b.par_chunks_mut(n).enumerate().for_each(|(row, out)| {
        let here = &a[row * n..][..n];
        out.copy_from_slice(here);
        if row == 0 || row == n - 1 {
            return;
        }
        let (above, below) = (&a[(row - 1) * n..][..n], &a[(row + 1) * n..][..n]);
        for j in 1..n - 1 {
            out[j] = 0.2 * (here[j] + here[j - 1] + here[j + 1] + below[j] + above[j]);
        }
    });
}

impl Kernel for Jacobi {
    fn section(&mut self) {
        for _ in 0..SWEEPS {
            jacobi_2d(&self.a, &mut self.b);
            std::mem::swap(&mut self.a, &mut self.b);
        }
    }

    fn rayon(&mut self) {
        for _ in 0..SWEEPS {
            sweep(self.n, self.a.cells(), self.b.cells_mut());
            std::mem::swap(&mut self.a, &mut self.b);
        }
    }

    fn values(&self) -> Values<'_> {
        Values::F64(self.a.cells())
    }

    fn known(&self) -> Result<(), String> {
        let (n, wave) = (self.n, half_wave(self.n));
        let cosine = (std::f64::consts::PI / (n - 1) as f64).cos();
        let shrunk = ((1.0 + 4.0 * cosine) / 5.0).powi(SWEEPS as i32);
        known::all(self.a.cells(), 1e-12, |i| {
            shrunk * wave[i / n] * wave[i % n]
        })
    }
}
