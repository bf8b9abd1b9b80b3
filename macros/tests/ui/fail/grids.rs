//! What loops over cells are not.

use hotsled::{Grid, parallel, parallel2};

#[hotsled::section]
pub fn elsewhere(src: &Grid<f32>, out: &mut Grid<f32>) {
    for (r, c) in parallel2(0..out.rows(), 0..out.cols()) {
        out[(r + 1, c)] = 1.0;
        out[(c, r)] = out[(r, 0)];
        let v = src[r];
        let w = src[(r, c, 0)];
    }
}

#[hotsled::section]
pub fn flat(out: &mut Grid<f32>) {
    for i in parallel(0..out.len()) {
        out[(i, 0)] = 1.0;
    }
}

#[hotsled::section]
pub fn nothing_written(src: &Grid<f32>, y: &mut [f32]) {
    for (r, c) in parallel2(0..src.rows(), 0..src.cols()) {
        y[r] = src[(r, c)];
    }
}

#[hotsled::section]
pub fn one_name(out: &mut Grid<f32>) {
    for cell in parallel2(0..out.rows(), 0..out.cols()) {
        out[cell] = 1.0;
    }
}

fn main() {}
