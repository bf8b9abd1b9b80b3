//! Loops over rows and columns.

use hotsled::{Grid, parallel, parallel2};

use crate::agree;
use crate::agree::ToArg;

fn grid(rows: usize, cols: usize) -> Grid<f32> {
    let cells = (0..rows * cols).map(|i| (i * 7919 % 101) as f32 * 0.5 - 9.0);
    Grid::from_cells(cells.collect(), cols).unwrap()
}

#[hotsled::section]
fn jacobi(src: &Grid<f32>, out: &mut Grid<f32>) {
    for (r, c) in parallel2(1..src.rows() - 1, 1..src.cols() - 1) {
        out[(r, c)] =
            0.25 * (src[(r - 1, c)] + src[(r + 1, c)] + src[(r, c - 1)] + src[(r, c + 1)]);
    }
}

fn plain_jacobi(src: &Grid<f32>, out: &mut Grid<f32>) {
    for (r, c) in parallel2(1..src.rows() - 1, 1..src.cols() - 1) {
        out[(r, c)] =
            0.25 * (src[(r - 1, c)] + src[(r + 1, c)] + src[(r, c - 1)] + src[(r, c + 1)]);
    }
}

#[hotsled::section]
fn multiply(a: &Grid<f32>, b: &Grid<f32>, c: &mut Grid<f32>) {
    for (r, k) in parallel2(0..c.rows(), 0..c.cols()) {
        if r == 1 {
            continue;
        }
        let mut sum = c[(r, k)];
        for j in 0..a.cols() {
            sum += a[(r, j)] * b[(j, k)];
        }
        c[(r, k)] = sum;
    }
}

#[hotsled::section]
fn rows_of(m: &Grid<f32>, x: &[f32], y: &mut [f32]) {
    for r in parallel(0..m.rows()) {
        let mut sum = 0.0;
        for c in 0..m.cols() {
            sum += m[(r, c)] * x[c];
        }
        y[r] = sum + (m.len() / m.rows() - m.cols()) as f32;
    }
}

#[test]
fn stencils_and_products() {
    for (rows, cols) in [(3, 3), (40, 7), (5, 211)] {
        let src = grid(rows, cols);
        let (mut out, mut plain) = (grid(rows, cols), grid(rows, cols));
        plain_jacobi(&src, &mut plain);
        agree!(jacobi(; src; out), [rows, cols, rows, cols], (cols, (rows - 1) * cols));
        assert_eq!(out, plain);
        let (a, b, mut c) = (grid(rows, 6), grid(6, cols), grid(rows, cols));
        let sizes = [rows, 6, 6, cols, rows, cols];
        agree!(multiply(; a, b; c), sizes, (0, rows * cols));
        let (x, mut y) = (vec![0.5f32; cols], vec![0.0f32; rows]);
        agree!(rows_of(; src, x; y), [rows, cols], (0, rows));
    }
}

#[hotsled::section]
fn beyond_columns(src: &Grid<f32>, out: &mut Grid<f32>) {
    for (r, c) in parallel2(0..out.rows(), 0..out.cols()) {
        out[(r, c)] = src[(r, c + 1)];
    }
}

#[test]
fn a_column_beyond_a_grid_is_not_the_next_row() {
    let (src, mut out) = (grid(5, 3), grid(4, 3));
    agree!(beyond_columns(; src; out), [5usize, 3, 4, 3], (0, 12));
}
