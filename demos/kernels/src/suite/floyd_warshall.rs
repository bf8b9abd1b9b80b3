//! Shortest ways between all pairs, one step for each stop on the way.

use hotsled::{Grid, parallel2};
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "floyd-warshall",
    source: "PolyBench/C floyd-warshall; on a ring the way is the shorter of the two around it",
    counts: "stops",
    size: 384,
    small: 128,
    tolerance: 0.0,
    new: |n| Box::new(Ways::new(n)),
};

/// No road; two of them can be added.
const FAR: u32 = 1 << 30;

#[hotsled::section]
fn floyd_warshall(stop: usize, from: &Grid<u32>, to: &mut Grid<u32>) {
    for (a, b) in parallel2(0..to.rows(), 0..to.cols()) {
        let over = from[(a, stop)] + from[(stop, b)];
        to[(a, b)] = from[(a, b)].min(over);
    }
}

struct Ways {
    n: usize,
    ways: Grid<u32>,
    next: Grid<u32>,
}

impl Ways {
    /// A ring of roads of length 1.
    fn new(n: usize) -> Self {
        let road = |i: usize| match around(n, i) {
            length @ (0 | 1) => length,
            _ => FAR,
        };
        let ways = Grid::from_cells((0..n * n).map(road).collect(), n);
        Self {
            n,
            ways: ways.expect("whole rows"),
            next: Grid::new(n, n, 0),
        }
    }
}

/// Roads between the stops of a pair.
fn around(n: usize, pair: usize) -> u32 {
    let apart = (pair / n).abs_diff(pair % n);
    apart.min(n - apart) as u32
}

fn step(n: usize, stop: usize, from: &[u32], to: &mut [u32]) {
    let on = &from[stop * n..][..n];
    let rows = to.par_chunks_mut(n).zip(from.par_chunks(n));
    rows.for_each(|(to, from)| {
        let first = from[stop];
        let ways = to.iter_mut().zip(from).zip(on);
        ways.for_each(|((to, from), on)| *to = (*from).min(first + on));
    });
}

impl Kernel for Ways {
    fn section(&mut self) {
        for stop in 0..self.n {
            floyd_warshall(stop, &self.ways, &mut self.next);
            std::mem::swap(&mut self.ways, &mut self.next);
        }
    }

    fn rayon(&mut self) {
        for stop in 0..self.n {
            step(self.n, stop, self.ways.cells(), self.next.cells_mut());
            std::mem::swap(&mut self.ways, &mut self.next);
        }
    }

    fn values(&self) -> Values<'_> {
        Values::U32(self.ways.cells())
    }

    fn known(&self) -> Result<(), String> {
        known::all(self.ways.cells(), 0.0, |pair| around(self.n, pair).into())
    }
}
