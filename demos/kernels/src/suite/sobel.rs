//! Edges: the length of Sobel's gradient.

use hotsled::{Grid, parallel2};
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "sobel",
    source: "Sobel, Feldman 1968; of x^2 + y^2 the gradient is 16 times the distance, a cone",
    counts: "pixels of a side",
    size: 2048,
    small: 160,
    tolerance: 0.0,
    new: |n| Box::new(Picture::new(n)),
};

#[hotsled::section]
fn sobel(from: &Grid<f32>, edges: &mut Grid<f32>) {
    for (r, c) in parallel2(1..from.rows() - 1, 1..from.cols() - 1) {
        let (up, down, west, east) = (r - 1, r + 1, c - 1, c + 1);
        let right = from[(up, east)] + 2.0 * from[(r, east)] + from[(down, east)];
        let left = from[(up, west)] + 2.0 * from[(r, west)] + from[(down, west)];
        let below = from[(down, west)] + 2.0 * from[(down, c)] + from[(down, east)];
        let above = from[(up, west)] + 2.0 * from[(up, c)] + from[(up, east)];
        let (across, along) = (right - left, below - above);
        edges[(r, c)] = (across * across + along * along).sqrt();
    }
}

struct Picture {
    n: usize,
    from: Grid<f32>,
    /// Its rim stays zero.
    edges: Grid<f32>,
}

impl Picture {
    fn new(n: usize) -> Self {
        let bowl = |i: usize| {
            let (row, column) = ((i / n).abs_diff(n / 2), (i % n).abs_diff(n / 2));
            (row * row + column * column) as f32
        };
        let from = Grid::from_cells((0..n * n).map(bowl).collect(), n);
        Self {
            n,
            from: from.expect("whole rows"),
            edges: Grid::new(n, n, 0.0),
        }
    }
}

/// One row, apart from the section; `rows` are the one above, itself and the one below.
fn row(rows: [&[f32]; 3], edges: &mut [f32]) {
    let [up, here, down] = rows;
    edges.fill(0.0);
    for j in 1..edges.len() - 1 {
        let side = |j: usize| up[j] + 2.0 * here[j] + down[j];
        let line = |row: &[f32]| row[j - 1] + 2.0 * row[j] + row[j + 1];
        let (across, along) = (side(j + 1) - side(j - 1), line(down) - line(up));
        edges[j] = (across * across + along * along).sqrt();
    }
}

impl Kernel for Picture {
    fn section(&mut self) {
        sobel(&self.from, &mut self.edges);
    }

    fn rayon(&mut self) {
        let (n, from) = (self.n, self.from.cells());
        let rows = self.edges.cells_mut().par_chunks_mut(n).enumerate();
        rows.for_each(|(r, edges)| {
            if r == 0 || r == n - 1 {
                return edges.fill(0.0);
            }
            let line = |r: usize| &from[r * n..][..n];
            row([line(r - 1), line(r), line(r + 1)], edges);
        });
    }

    fn values(&self) -> Values<'_> {
        Values::F32(self.edges.cells())
    }

    fn known(&self) -> Result<(), String> {
        let n = self.n;
        let rim = |k: usize| k == 0 || k == n - 1;
        let from_middle = |k: usize| k as f64 - (n / 2) as f64;
        let wanted = |i: usize| match (i / n, i % n) {
            (row, column) if rim(row) || rim(column) => 0.0,
            (row, column) => 16.0 * from_middle(row).hypot(from_middle(column)),
        };
        // Sums of up to 2 n^2 are rounded a few times.
        let tolerance = f64::from(f32::EPSILON) * (8 * n * n) as f64;
        known::all(self.edges.cells(), tolerance, wanted)
    }
}
