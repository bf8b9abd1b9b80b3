//! Heat in a cube, one explicit step after the other.

use hotsled::{Grid, parallel2};
use rayon::prelude::*;

use crate::data::half_wave;
use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "heat-3d",
    source: "PolyBench/C heat-3d; a half wave shrinks by 1 - 3 (1 - cos t) / 4 a step",
    counts: "points of a side",
    size: 112,
    small: 30,
    tolerance: 0.0,
    new: |n| Box::new(Heat::new(n)),
};

const STEPS: usize = 10;

/// A row of the grids is a line of the cube.
#[hotsled::section]
fn heat_3d(n: usize, a: &Grid<f64>, b: &mut Grid<f64>) {
    for (line, x) in parallel2(n..a.rows() - n, 1..a.cols() - 1) {
        let y = line % n;
        if y == 0 || y == n - 1 {
            continue;
        }
        let here = a[(line, x)];
        b[(line, x)] = 0.125 * (a[(line + n, x)] - 2.0 * here + a[(line - n, x)])
            + 0.125 * (a[(line + 1, x)] - 2.0 * here + a[(line - 1, x)])
            + 0.125 * (a[(line, x + 1)] - 2.0 * here + a[(line, x - 1)])
            + here;
    }
}

struct Heat {
    n: usize,
    a: Grid<f64>,
    /// Its rim is that of `a`, and stays.
    b: Grid<f64>,
}

impl Heat {
    fn new(n: usize) -> Self {
        let wave = half_wave(n);
        let mut a = Vec::with_capacity(n * n * n);
        for z in 0..n {
            for y in 0..n {
                a.extend(wave.iter().map(|x| wave[z] * wave[y] * x));
            }
        }
        let a = Grid::from_cells(a, n).expect("whole lines");
        Self { n, b: a.clone(), a }
    }
}

fn step(n: usize, a: &[f64], b: &mut [f64]) {
    let rim = |k: usize| k == 0 || k == n - 1;
    b.par_chunks_mut(n).enumerate().for_each(|(line, out)| {
        let from = |line: usize| &a[line * n..][..n];
        let here = from(line);
        out.copy_from_slice(here);
        if rim(line / n) || rim(line % n) {
            return;
        }
        let (back, front) = (from(line - n), from(line + n));
        let (above, below) = (from(line - 1), from(line + 1));
        for x in 1..n - 1 {
            out[x] = 0.125 * (front[x] - 2.0 * here[x] + back[x])
                + 0.125 * (below[x] - 2.0 * here[x] + above[x])
                + 0.125 * (here[x + 1] - 2.0 * here[x] + here[x - 1])
                + here[x];
        }
    });
}

impl Kernel for Heat {
    fn section(&mut self) {
        for _ in 0..STEPS {
            heat_3d(self.n, &self.a, &mut self.b);
            std::mem::swap(&mut self.a, &mut self.b);
        }
    }

    fn rayon(&mut self) {
        for _ in 0..STEPS {
            step(self.n, self.a.cells(), self.b.cells_mut());
            std::mem::swap(&mut self.a, &mut self.b);
        }
    }

    fn values(&self) -> Values<'_> {
        Values::F64(self.a.cells())
    }

    fn known(&self) -> Result<(), String> {
        let (n, wave) = (self.n, half_wave(self.n));
        let cosine = (std::f64::consts::PI / (n - 1) as f64).cos();
        let shrunk = (1.0 - 0.75 * (1.0 - cosine)).powi(STEPS as i32);
        let wanted = |i: usize| shrunk * wave[i / (n * n)] * wave[i / n % n] * wave[i % n];
        known::all(self.a.cells(), 1e-12, wanted)
    }
}
