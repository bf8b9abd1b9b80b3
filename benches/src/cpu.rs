//! Section loops on the CPU beside the same loops written with rayon.

use std::time::Instant;

use image_service::sections;
use rayon::prelude::*;

use crate::row::{Row, median};

const WIDTH: u32 = 1024;
const HEIGHT: u32 = 1024;
const PIECE: usize = 8192;
const ROUNDS: usize = 41;

/// Measures each loop both ways, turn about, and compares the results.
pub fn run() -> Vec<Row> {
    let count = WIDTH * HEIGHT * 3;
    let pixels: Vec<u8> = (0..count)
        .map(|i| (i.wrapping_mul(2654435761) >> 24) as u8)
        .collect();
    let taps = [1.0f32 / 17.0; 17];
    let cdf: Vec<u32> = (0..768)
        .map(|i| (i % 256 + 1) * (WIDTH * HEIGHT / 256))
        .collect();
    let least = [cdf[0]; 3];
    vec![
        pair(
            "blur rows",
            |out| sections::blur_rows(WIDTH, &taps, &pixels, out),
            |out: &mut [f32]| blur_rows(&taps, &pixels, out),
            pixels.len(),
        ),
        pair(
            "equalize",
            |out| sections::equalize(WIDTH * HEIGHT, &cdf, &least, &pixels, out),
            |out: &mut [u8]| equalize(&cdf, &least, &pixels, out),
            pixels.len(),
        ),
    ]
}

fn pair<T: Default + Clone + PartialEq>(
    filter: &'static str,
    ours: impl Fn(&mut [T]),
    rayon: impl Fn(&mut [T]),
    len: usize,
) -> Row {
    let (mut a, mut b) = (vec![T::default(); len], vec![T::default(); len]);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        ours(&mut a);
        times[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        rayon(&mut b);
        times[1].push(start.elapsed().as_secs_f64());
    }
    assert!(a == b, "{filter}: the two ways differ");
    let [ours_s, rayon_s] = times.map(median);
    Row::Cpu {
        bench: "cpu",
        filter,
        ours_s,
        rayon_s,
        ratio: rayon_s / ours_s,
    }
}

fn blur_rows(taps: &[f32], pixels: &[u8], out: &mut [f32]) {
    let radius = taps.len() as u32 / 2;
    out.par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(piece, out)| {
            for (k, out) in out.iter_mut().enumerate() {
                let i = (piece * PIECE + k) as u32;
                let x = i % WIDTH;
                let row = i - x;
                let mut sum = 0.0;
                for k in 0..taps.len() as u32 {
                    let at = (x + k).max(radius).min(WIDTH - 1 + radius) - radius;
                    sum += taps[k as usize] * f32::from(pixels[(row + at) as usize]);
                }
                *out = sum;
            }
        });
}

fn equalize(cdf: &[u32], least: &[u32], pixels: &[u8], out: &mut [u8]) {
    let plane = WIDTH * HEIGHT;
    out.par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(piece, out)| {
            for (k, out) in out.iter_mut().enumerate() {
                let i = piece * PIECE + k;
                let channel = (i as u32 / plane) as usize;
                let low = least[channel] as usize;
                let rest = plane as usize - low;
                *out = if rest == 0 {
                    pixels[i]
                } else {
                    let above = cdf[channel * 256 + usize::from(pixels[i])] as usize - low;
                    ((510 * above + rest) / (2 * rest)) as u8
                };
            }
        });
}
