//! The parallel loops of the filters: everything that may move to an accelerator.
//!
//! Pictures are stacked planes (see [`crate::Picture`]): rows of `width`, planes of `height` rows. A
//! neighbour beyond an edge is the edge itself (scipy.ndimage's mode='nearest'). A position `x + k - r`
//! is computed as `hold(x + k, r, w) = (x + k).max(r).min(w - 1 + r) - r`, which never goes below zero.

#![expect(
    clippy::too_many_arguments,
    reason = "a section takes scalars and slices, not structures"
)]

use hotsled::parallel;

/// Weighs the row neighbourhood of every pixel with `taps` (an odd number of them).
#[hotsled::section]
pub fn blur_rows(width: u32, taps: &[f32], pixels: &[u8], out: &mut [f32]) {
    let radius = taps.len() as u32 / 2;
    for i in parallel(0..out.len()) {
        let x = i as u32 % width;
        let row = i as u32 - x;
        let mut sum = 0.0f32;
        for k in 0..taps.len() as u32 {
            let at = (x + k).max(radius).min(width - 1 + radius) - radius;
            sum += taps[k as usize] * pixels[(row + at) as usize] as f32;
        }
        out[i] = sum;
    }
}

/// Weighs the column neighbourhood of what [`blur_rows`] left, then clamps and rounds.
#[hotsled::section]
pub fn blur_columns(width: u32, height: u32, taps: &[f32], rows: &[f32], out: &mut [u8]) {
    let radius = taps.len() as u32 / 2;
    for i in parallel(0..out.len()) {
        let y = i as u32 / width % height;
        let top = i as u32 - y * width;
        let mut sum = 0.0f32;
        for k in 0..taps.len() as u32 {
            let at = (y + k).max(radius).min(height - 1 + radius) - radius;
            sum += taps[k as usize] * rows[(top + at * width) as usize];
        }
        out[i] = (sum.max(0.0).min(255.0) + 0.5).floor() as u8;
    }
}

/// [`blur_columns`], then `p + amount * (p - blurred)`, then clamps and rounds.
#[hotsled::section]
pub fn unsharp_columns(
    width: u32,
    height: u32,
    amount: f32,
    taps: &[f32],
    pixels: &[u8],
    rows: &[f32],
    out: &mut [u8],
) {
    let radius = taps.len() as u32 / 2;
    for i in parallel(0..out.len()) {
        let y = i as u32 / width % height;
        let top = i as u32 - y * width;
        let mut blurred = 0.0f32;
        for k in 0..taps.len() as u32 {
            let at = (y + k).max(radius).min(height - 1 + radius) - radius;
            blurred += taps[k as usize] * rows[(top + at * width) as usize];
        }
        let p = pixels[i] as f32;
        let sharp = p + amount * (p - blurred);
        out[i] = (sharp.max(0.0).min(255.0) + 0.5).floor() as u8;
    }
}

/// Length of the gradient: `hypot` of Sobel over rows and Sobel over columns, clamped and rounded.
#[hotsled::section]
pub fn sobel(width: u32, height: u32, pixels: &[u8], out: &mut [u8]) {
    for i in parallel(0..out.len()) {
        let x = i as u32 % width;
        let y = i as u32 / width % height;
        let here = i as u32 - x;
        let above = here - y.min(1) * width;
        let below = here + (height - 1 - y).min(1) * width;
        let left = x - x.min(1);
        let right = x + (width - 1 - x).min(1);
        let a = pixels[(above + left) as usize] as i32;
        let b = pixels[(above + x) as usize] as i32;
        let c = pixels[(above + right) as usize] as i32;
        let d = pixels[(here + left) as usize] as i32;
        let f = pixels[(here + right) as usize] as i32;
        let g = pixels[(below + left) as usize] as i32;
        let h = pixels[(below + x) as usize] as i32;
        let k = pixels[(below + right) as usize] as i32;
        let down = (g + 2 * h + k - a - 2 * b - c) as f32;
        let across = (c + 2 * f + k - a - 2 * d - g) as f32;
        let length = down.hypot(across);
        out[i] = (length.max(0.0).min(255.0) + 0.5).floor() as u8;
    }
}

/// Sums `p` and `p * p` over the row window of `half` pixels to either side. Exact: integers.
#[hotsled::section]
pub fn window_rows(width: u32, half: u32, pixels: &[u8], sums: &mut [u32], squares: &mut [u32]) {
    for i in parallel(0..sums.len()) {
        let x = i as u32 % width;
        let row = i as u32 - x;
        let mut sum = 0u32;
        let mut square = 0u32;
        for k in 0..2 * half + 1 {
            let at = (x + k).max(half).min(width - 1 + half) - half;
            let p = pixels[(row + at) as usize] as u32;
            sum += p;
            square += p * p;
        }
        sums[i] = sum;
        squares[i] = square;
    }
}

/// Sums what [`window_rows`] left over columns, then `base + gain * (p - m) / sqrt(v + 1)` with the
/// window's mean `m` and population variance `v`, clamped and rounded.
///
/// The variance is `(n * squares - sum * sum) / (n * n)` with an exact integer numerator, so that
/// nothing cancels.
#[hotsled::section]
pub fn contrast_columns(
    width: u32,
    height: u32,
    half: u32,
    gain: f32,
    base: f32,
    pixels: &[u8],
    sums: &[u32],
    squares: &[u32],
    out: &mut [u8],
) {
    let side = (2 * half + 1) as usize;
    let n = side * side;
    for i in parallel(0..out.len()) {
        let y = i as u32 / width % height;
        let top = i as u32 - y * width;
        let mut sum = 0usize;
        let mut square = 0usize;
        for k in 0..2 * half + 1 {
            let at = (y + k).max(half).min(height - 1 + half) - half;
            let j = (top + at * width) as usize;
            sum += sums[j] as usize;
            square += squares[j] as usize;
        }
        let mean = sum as f32 / n as f32;
        let variance = (n * square - sum * sum) as f32 / (n * n) as f32;
        let value = base + gain * (pixels[i] as f32 - mean) / (variance + 1.0).sqrt();
        out[i] = (value.max(0.0).min(255.0) + 0.5).floor() as u8;
    }
}

/// Maps every pixel by its plane's cumulative histogram: `round(255 * (cdf - least) / (n - least))`.
///
/// `cdf` holds 256 counts a plane, `least` one count a plane. A plane of one value (`n == least`)
/// stays as it is. Exact: round half up of `a / b` is `(2 * a + b) / (2 * b)`.
#[hotsled::section]
pub fn equalize(plane: u32, cdf: &[u32], least: &[u32], pixels: &[u8], out: &mut [u8]) {
    for i in parallel(0..out.len()) {
        let channel = (i as u32 / plane) as usize;
        let p = pixels[i] as usize;
        let low = least[channel] as usize;
        let rest = plane as usize - low;
        if rest == 0 {
            out[i] = pixels[i];
        } else {
            let above = cdf[channel * 256 + p] as usize - low;
            out[i] = ((510 * above + rest) / (2 * rest)) as u8;
        }
    }
}
