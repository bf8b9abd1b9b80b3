//! Matrix times matrix, in tiles of two rows and two columns.

use hotsled::{Grid, parallel};
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "gemm",
    source: "PolyBench/C gemm's matrices; C times a vector is A times B times it (Freivalds 1979)",
    counts: "rows, columns and depth",
    size: 512,
    small: 96,
    tolerance: 0.0,
    new: |n| Box::new(Gemm::new(n)),
};

/// Each index computes one tile: four sums share two rows of `a` and two columns of `b`, whose
/// transpose is `bt`. The tile's elements lie in four results.
#[hotsled::section]
fn gemm(
    a: &Grid<f32>,
    bt: &Grid<f32>,
    c00: &mut [f32],
    c01: &mut [f32],
    c10: &mut [f32],
    c11: &mut [f32],
) {
    for t in parallel(0..c00.len()) {
        let tiles = bt.rows() / 2;
        let (i, j) = (t / tiles * 2, t % tiles * 2);
        let mut sums = [0.0f32; 4];
        for k in 0..a.cols() {
            let (a0, a1) = (a[(i, k)], a[(i + 1, k)]);
            let (b0, b1) = (bt[(j, k)], bt[(j + 1, k)]);
            sums[0] += a0 * b0;
            sums[1] += a0 * b1;
            sums[2] += a1 * b0;
            sums[3] += a1 * b1;
        }
        c00[t] = sums[0];
        c01[t] = sums[1];
        c10[t] = sums[2];
        c11[t] = sums[3];
    }
}

/// The same tile, apart from the section.
fn tile(top: [&[f32]; 2], left: [&[f32]; 2]) -> [f32; 4] {
    let (columns, mut sums) = (left[0].iter().zip(left[1]), [0.0; 4]);
    for ((a0, a1), (b0, b1)) in top[0].iter().zip(top[1]).zip(columns) {
        let products = [a0 * b0, a0 * b1, a1 * b0, a1 * b1];
        sums.iter_mut().zip(products).for_each(|(s, p)| *s += p);
    }
    sums
}

struct Gemm {
    n: usize,
    a: Grid<f32>,
    bt: Grid<f32>,
    /// The four elements of each tile, one after the other: all first ones, all second ones ..
    c: Vec<f32>,
}

impl Gemm {
    fn new(n: usize) -> Self {
        let n = n.next_multiple_of(2);
        let a = |i: usize| (((i / n) * (i % n + 1)) % n) as f32 / n as f32;
        // At (column, row), being the transpose.
        let bt = |i: usize| (((i % n) * (i / n + 2)) % n) as f32 / n as f32;
        let grid = |cells: Vec<f32>| Grid::from_cells(cells, n).expect("whole rows");
        Self {
            n,
            a: grid((0..n * n).map(a).collect()),
            bt: grid((0..n * n).map(bt).collect()),
            c: vec![0.0; n * n],
        }
    }

    /// The element of the product at a row and a column.
    fn at(&self, row: usize, column: usize) -> f64 {
        let tiles = self.c.len() / 4;
        let tile = row / 2 * (self.n / 2) + column / 2;
        self.c[(row % 2 * 2 + column % 2) * tiles + tile].into()
    }
}

/// A square matrix times a vector, in `f64`.
fn times(n: usize, at: impl Fn(usize, usize) -> f64, vector: impl Fn(usize) -> f64) -> Vec<f64> {
    let row = |i| (0..n).map(|k| at(i, k) * vector(k)).sum();
    (0..n).map(row).collect()
}

impl Kernel for Gemm {
    fn section(&mut self) {
        let tiles = self.c.len() / 4;
        let (top, bottom) = self.c.split_at_mut(2 * tiles);
        let (c00, c01) = top.split_at_mut(tiles);
        let (c10, c11) = bottom.split_at_mut(tiles);
        gemm(&self.a, &self.bt, c00, c01, c10, c11);
    }

    fn rayon(&mut self) {
        let (n, tiles) = (self.n, self.c.len() / 4);
        let (a, bt) = (self.a.cells(), self.bt.cells());
        let (top, bottom) = self.c.split_at_mut(2 * tiles);
        let (c00, c01) = top.split_at_mut(tiles);
        let (c10, c11) = bottom.split_at_mut(tiles);
        let rows = c00.par_iter_mut().zip(c01).zip(c10).zip(c11).enumerate();
        rows.for_each(|(t, (((c00, c01), c10), c11))| {
            let (i, j) = (t / (n / 2) * 2, t % (n / 2) * 2);
            let row = |k: usize| &a[k * n..][..n];
            let column = |k: usize| &bt[k * n..][..n];
            [*c00, *c01, *c10, *c11] = tile([row(i), row(i + 1)], [column(j), column(j + 1)]);
        });
    }

    fn values(&self) -> Values<'_> {
        Values::F32(&self.c)
    }

    fn known(&self) -> Result<(), String> {
        let n = self.n;
        let of = |m: &Grid<f32>, row: usize, column: usize| f64::from(m[(row, column)]);
        let vector = |k: usize| (1 + k % 3) as f64;
        let b_vector = times(n, |k, j| of(&self.bt, j, k), vector);
        let wanted = times(n, |i, k| of(&self.a, i, k), |k| b_vector[k]);
        let got = times(n, |i, j| self.at(i, j), vector);
        known::all(&got, 1e-6 * (n * n) as f64, |i| wanted[i])
    }
}
