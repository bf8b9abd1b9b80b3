//! Edges: the length of Sobel's gradient.

use hotsled::parallel;
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
fn sobel(n: usize, from: &[f32], edges: &mut [f32]) {
    for i in parallel(0..edges.len()) {
        let row = i / n;
        let column = i % n;
        if row == 0 || row == n - 1 || column == 0 || column == n - 1 {
            edges[i] = 0.0;
            continue;
        }
        let (up, down) = (i - n, i + n);
        let right = from[up + 1] + 2.0 * from[i + 1] + from[down + 1];
        let left = from[up - 1] + 2.0 * from[i - 1] + from[down - 1];
        let below = from[down - 1] + 2.0 * from[down] + from[down + 1];
        let above = from[up - 1] + 2.0 * from[up] + from[up + 1];
        let (across, along) = (right - left, below - above);
        edges[i] = (across * across + along * along).sqrt();
    }
}

struct Picture {
    n: usize,
    from: Vec<f32>,
    edges: Vec<f32>,
}

impl Picture {
    fn new(n: usize) -> Self {
        let bowl = |i: usize| {
            let (row, column) = ((i / n).abs_diff(n / 2), (i % n).abs_diff(n / 2));
            (row * row + column * column) as f32
        };
        Self {
            n,
            from: (0..n * n).map(bowl).collect(),
            edges: vec![0.0; n * n],
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
        sobel(self.n, &self.from, &mut self.edges);
    }

    fn rayon(&mut self) {
        let (n, from) = (self.n, &self.from);
        let rows = self.edges.par_chunks_mut(n).enumerate();
        rows.for_each(|(r, edges)| {
            if r == 0 || r == n - 1 {
                return edges.fill(0.0);
            }
            let line = |r: usize| &from[r * n..][..n];
            row([line(r - 1), line(r), line(r + 1)], edges);
        });
    }

    fn values(&self) -> Values<'_> {
        Values::F32(&self.edges)
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
        known::all(&self.edges, tolerance, wanted)
    }
}
