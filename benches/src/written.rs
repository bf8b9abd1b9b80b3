//! The loops of the filters as one writes them with rayon; see `image_service::sections` for what they
//! compute.

use rayon::prelude::*;

/// Elements of one task.
const PIECE: usize = 8192;

/// Fills `out` from its indices, a piece a task.
fn fill<T: Send>(out: &mut [T], one: impl Fn(usize) -> T + Sync) {
    let piece = |(piece, out): (usize, &mut [T])| {
        for (k, out) in out.iter_mut().enumerate() {
            *out = one(piece * PIECE + k);
        }
    };
    out.par_chunks_mut(PIECE).enumerate().for_each(piece);
}

fn held(at: u32, half: u32, size: u32) -> u32 {
    at.max(half).min(size - 1 + half) - half
}

fn rounded(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + 0.5).floor() as u8
}

/// Rows of `width`, planes of `height` rows: known at run time only, as the sections know them.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Pixels of a row.
    pub width: u32,
    /// Rows of a plane.
    pub height: u32,
}

impl Shape {
    /// Row and offset of the top of the column of pixel `i`.
    fn column(self, i: usize) -> (u32, u32) {
        let y = i as u32 / self.width % self.height;
        (y, i as u32 - y * self.width)
    }

    /// Column and offset of the start of the row of pixel `i`.
    fn row(self, i: usize) -> (u32, u32) {
        let x = i as u32 % self.width;
        (x, i as u32 - x)
    }
}

/// Weighs rows.
pub fn blur_rows(shape: Shape, taps: &[f32], pixels: &[u8], out: &mut [f32]) {
    let radius = taps.len() as u32 / 2;
    fill(out, |i| {
        let (x, row) = shape.row(i);
        let mut sum = 0.0;
        for k in 0..taps.len() as u32 {
            let at = held(x + k, radius, shape.width);
            sum += taps[k as usize] * f32::from(pixels[(row + at) as usize]);
        }
        sum
    });
}

fn blurred(i: usize, shape: Shape, taps: &[f32], rows: &[f32]) -> f32 {
    let radius = taps.len() as u32 / 2;
    let (y, top) = shape.column(i);
    let mut sum = 0.0;
    for k in 0..taps.len() as u32 {
        let at = held(y + k, radius, shape.height);
        sum += taps[k as usize] * rows[(top + at * shape.width) as usize];
    }
    sum
}

/// Weighs columns and rounds.
pub fn blur_columns(shape: Shape, taps: &[f32], rows: &[f32], out: &mut [u8]) {
    fill(out, |i| rounded(blurred(i, shape, taps, rows)));
}

/// Weighs columns, sharpens and rounds.
pub fn unsharp_columns(
    shape: Shape,
    amount: f32,
    taps: &[f32],
    pixels: &[u8],
    rows: &[f32],
    out: &mut [u8],
) {
    fill(out, |i| {
        let p = f32::from(pixels[i]);
        rounded(p + amount * (p - blurred(i, shape, taps, rows)))
    });
}

/// Length of the gradient.
pub fn sobel(shape: Shape, pixels: &[u8], out: &mut [u8]) {
    fill(out, |i| {
        let (x, here) = shape.row(i);
        let (y, _) = shape.column(i);
        let above = here - y.min(1) * shape.width;
        let below = here + (shape.height - 1 - y).min(1) * shape.width;
        let (left, right) = (x - x.min(1), x + (shape.width - 1 - x).min(1));
        let p = |row: u32, x: u32| i32::from(pixels[(row + x) as usize]);
        let (a, b, c) = (p(above, left), p(above, x), p(above, right));
        let (d, f) = (p(here, left), p(here, right));
        let (g, h, k) = (p(below, left), p(below, x), p(below, right));
        let down = (g + 2 * h + k - a - 2 * b - c) as f32;
        let across = (c + 2 * f + k - a - 2 * d - g) as f32;
        // As the section's `hypot`: in f64, rounded once.
        let length =
            (f64::from(down) * f64::from(down) + f64::from(across) * f64::from(across)).sqrt();
        rounded(length as f32)
    });
}

/// Sums of values and squares over row windows.
pub fn window_rows(shape: Shape, half: u32, pixels: &[u8], sums: &mut [u32], squares: &mut [u32]) {
    let pieces = sums
        .par_chunks_mut(PIECE)
        .zip(squares.par_chunks_mut(PIECE));
    pieces.enumerate().for_each(|(piece, (sums, squares))| {
        for (k, (sum, square)) in sums.iter_mut().zip(squares).enumerate() {
            let (x, row) = shape.row(piece * PIECE + k);
            (*sum, *square) = (0, 0);
            for k in 0..2 * half + 1 {
                let p = u32::from(pixels[(row + held(x + k, half, shape.width)) as usize]);
                *sum += p;
                *square += p * p;
            }
        }
    });
}

/// What [`window_rows`] found for each pixel.
#[derive(Clone, Copy)]
pub struct Windows<'a> {
    /// Sums of values.
    pub sums: &'a [u32],
    /// Sums of squares.
    pub squares: &'a [u32],
}

/// Contrast against the window's mean and variance.
pub fn contrast_columns(
    shape: Shape,
    half: u32,
    gain: f32,
    base: f32,
    pixels: &[u8],
    windows: Windows<'_>,
    out: &mut [u8],
) {
    let Windows { sums, squares } = windows;
    let side = (2 * half + 1) as usize;
    let n = side * side;
    fill(out, |i| {
        let (y, top) = shape.column(i);
        let (mut sum, mut square) = (0usize, 0usize);
        for k in 0..2 * half + 1 {
            let j = (top + held(y + k, half, shape.height) * shape.width) as usize;
            sum += sums[j] as usize;
            square += squares[j] as usize;
        }
        let mean = sum as f32 / n as f32;
        let variance = (n * square - sum * sum) as f32 / (n * n) as f32;
        rounded(base + gain * (f32::from(pixels[i]) - mean) / (variance + 1.0).sqrt())
    });
}

/// Maps pixels by their plane's cumulative histogram.
pub fn equalize(shape: Shape, cdf: &[u32], least: &[u32], pixels: &[u8], out: &mut [u8]) {
    let plane = shape.width * shape.height;
    fill(out, |i| {
        let channel = (i as u32 / plane) as usize;
        let low = least[channel] as usize;
        let rest = plane as usize - low;
        if rest == 0 {
            pixels[i]
        } else {
            let above = cdf[channel * 256 + usize::from(pixels[i])] as usize - low;
            ((510 * above + rest) / (2 * rest)) as u8
        }
    });
}
