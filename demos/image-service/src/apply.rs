//! Each filter as calls of its sections.

use crate::filter::Gaussian;
use crate::{Picture, sections};

/// Gaussian blur: rows, then columns.
pub fn blur(picture: &Picture, gaussian: Gaussian) -> Vec<u8> {
    let taps = gaussian.taps();
    let rows = blur_rows(picture, &taps);
    let mut out = vec![0; rows.len()];
    sections::blur_columns(picture.width(), picture.height(), &taps, &rows, &mut out);
    out
}

/// Unsharp masking: the blur's rows, then its columns and the difference in one pass.
pub fn unsharp(picture: &Picture, gaussian: Gaussian, amount: f32) -> Vec<u8> {
    let taps = gaussian.taps();
    let rows = blur_rows(picture, &taps);
    let mut out = vec![0; rows.len()];
    sections::unsharp_columns(
        picture.width(),
        picture.height(),
        amount,
        &taps,
        picture.pixels(),
        &rows,
        &mut out,
    );
    out
}

fn blur_rows(picture: &Picture, taps: &[f32]) -> Vec<f32> {
    let mut rows = vec![0.0; picture.pixels().len()];
    sections::blur_rows(picture.width(), taps, picture.pixels(), &mut rows);
    rows
}

/// Length of the Sobel gradient.
pub fn sobel(picture: &Picture) -> Vec<u8> {
    let mut out = vec![0; picture.pixels().len()];
    sections::sobel(
        picture.width(),
        picture.height(),
        picture.pixels(),
        &mut out,
    );
    out
}

/// Local contrast: window sums by rows, then by columns.
pub fn contrast(picture: &Picture, half: u32, gain: f32, base: f32) -> Vec<u8> {
    let pixels = picture.pixels();
    let mut sums = vec![0; pixels.len()];
    let mut squares = vec![0; pixels.len()];
    sections::window_rows(picture.width(), half, pixels, &mut sums, &mut squares);
    let mut out = vec![0; pixels.len()];
    sections::contrast_columns(
        picture.width(),
        picture.height(),
        half,
        gain,
        base,
        pixels,
        &sums,
        &squares,
        &mut out,
    );
    out
}

/// Equalisation: the histogram here (one pass, 256 bins, no parallel loop), the map as a section.
pub fn equalize(picture: &Picture) -> Vec<u8> {
    let planes = picture.pixels().chunks(picture.plane());
    let cdfs: Vec<[u32; 256]> = planes.map(cumulate).collect();
    let least: Vec<u32> = cdfs.iter().map(first_count).collect();
    let mut out = vec![0; picture.pixels().len()];
    sections::equalize(
        picture.plane() as u32,
        cdfs.as_flattened(),
        &least,
        picture.pixels(),
        &mut out,
    );
    out
}

/// How many pixels are at most each value.
fn cumulate(plane: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    for &p in plane {
        counts[usize::from(p)] += 1;
    }
    for value in 1..256 {
        counts[value] += counts[value - 1];
    }
    counts
}

/// The count of the lowest value that occurs.
fn first_count(cdf: &[u32; 256]) -> u32 {
    cdf.iter().copied().find(|&count| count > 0).unwrap_or(0)
}
