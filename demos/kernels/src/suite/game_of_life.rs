//! Generations of Conway's game on a torus.

use hotsled::{Grid, parallel2};
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "game-of-life",
    source: "Gardner 1970; after four generations a glider stands one down and one to the right",
    counts: "cells of a side, to 16",
    size: 1024,
    small: 160,
    tolerance: 0.0,
    new: |n| Box::new(Life::new(n)),
};

const GENERATIONS: usize = 8;
/// One glider in each square of this side, so that they do not meet.
const FIELD: usize = 16;
/// Rows and columns of a glider that flies down and to the right.
const GLIDER: [(usize, usize); 5] = [(0, 1), (1, 2), (2, 0), (2, 1), (2, 2)];

#[hotsled::section]
fn game_of_life(from: &Grid<u8>, to: &mut Grid<u8>) {
    for (r, c) in parallel2(0..to.rows(), 0..to.cols()) {
        let above = if r == 0 { from.rows() - 1 } else { r - 1 };
        let below = if r + 1 == from.rows() { 0 } else { r + 1 };
        let left = if c == 0 { from.cols() - 1 } else { c - 1 };
        let right = if c + 1 == from.cols() { 0 } else { c + 1 };
        let alive = from[(above, left)] as u32
            + from[(above, c)] as u32
            + from[(above, right)] as u32
            + from[(r, left)] as u32
            + from[(r, right)] as u32
            + from[(below, left)] as u32
            + from[(below, c)] as u32
            + from[(below, right)] as u32;
        let lives = match alive {
            3 => 1u32,
            2 => from[(r, c)] as u32,
            _ => 0,
        };
        to[(r, c)] = lives as u8;
    }
}

struct Life {
    n: usize,
    cells: Grid<u8>,
    next: Grid<u8>,
}

impl Life {
    fn new(n: usize) -> Self {
        let n = n.next_multiple_of(FIELD);
        let cells = Grid::from_cells((0..n * n).map(|i| glider(n, i, 0)).collect(), n);
        Self {
            n,
            cells: cells.expect("whole rows"),
            next: Grid::new(n, n, 0),
        }
    }
}

/// Whether a cell lives when every glider has moved on by so many squares.
fn glider(n: usize, cell: usize, moved: usize) -> u8 {
    let back = |at: usize| (at + FIELD - moved) % FIELD;
    GLIDER.contains(&(back(cell / n), back(cell % n))).into()
}

/// One row, apart from the section; `rows` are the one above, itself and the one below.
fn row(rows: [&[u8]; 3], to: &mut [u8]) {
    let n = to.len();
    let column = |x: usize| rows.iter().map(|row| row[x]).sum::<u8>();
    for (x, to) in to.iter_mut().enumerate() {
        let around = column((x + n - 1) % n) + column(x) + column((x + 1) % n);
        // The cell itself is counted, too.
        *to = (around == 3 || around == 4 && rows[1][x] == 1).into();
    }
}

fn generation(n: usize, from: &[u8], to: &mut [u8]) {
    let line = |row: usize| &from[row % n * n..][..n];
    let rows = to.par_chunks_mut(n).enumerate();
    rows.for_each(|(r, to)| row([line(r + n - 1), line(r), line(r + 1)], to));
}

impl Kernel for Life {
    fn section(&mut self) {
        for _ in 0..GENERATIONS {
            game_of_life(&self.cells, &mut self.next);
            std::mem::swap(&mut self.cells, &mut self.next);
        }
    }

    fn rayon(&mut self) {
        for _ in 0..GENERATIONS {
            generation(self.n, self.cells.cells(), self.next.cells_mut());
            std::mem::swap(&mut self.cells, &mut self.next);
        }
    }

    fn values(&self) -> Values<'_> {
        Values::U8(self.cells.cells())
    }

    fn known(&self) -> Result<(), String> {
        let moved = GENERATIONS / 4;
        known::all(self.cells.cells(), 0.0, |cell| {
            glider(self.n, cell, moved).into()
        })
    }
}
