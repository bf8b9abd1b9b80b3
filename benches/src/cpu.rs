//! Each filter's CPU path beside the same loops written with rayon.

use std::hint::black_box;
use std::time::Instant;

use image_service::sections;

use crate::row::{Cpu, Row, median};
use crate::written::{self, Shape};

const ROUNDS: usize = 21;
const HALF: u32 = 15;
const WIDTH: u32 = 1024;
const HEIGHT: u32 = 1024;

/// What the filters read.
struct Input {
    shape: Shape,
    pixels: Vec<u8>,
    taps: [f32; 17],
    cdf: Vec<u32>,
    least: Vec<u32>,
}

impl Input {
    fn new() -> Self {
        let noise = |i: u32| (i.wrapping_mul(2654435761) >> 24) as u8;
        let cdf: Vec<u32> = (0..768)
            .map(|i| (i % 256 + 1) * (WIDTH * HEIGHT / 256))
            .collect();
        Self {
            // The compiler must not know: sections have it as arguments too.
            shape: black_box(Shape {
                width: WIDTH,
                height: HEIGHT,
            }),
            pixels: (0..WIDTH * HEIGHT * 3).map(noise).collect(),
            taps: [1.0 / 17.0; 17],
            least: vec![cdf[0]; 3],
            cdf,
        }
    }
}

/// Room for what a filter makes on its way, used again in every round.
#[derive(Clone, Default)]
struct Room {
    rows: Vec<f32>,
    sums: Vec<u32>,
    squares: Vec<u32>,
    out: Vec<u8>,
}

impl Room {
    fn new(len: usize) -> Self {
        Self {
            rows: vec![0.0; len],
            sums: vec![0; len],
            squares: vec![0; len],
            out: vec![0; len],
        }
    }
}

type Way = fn(&Input, &mut Room);

/// Filter, through sections, with rayon.
const FILTERS: [(&str, Way, Way); 5] = [
    (
        "blur",
        |i, r| {
            sections::blur_rows(i.shape.width, &i.taps, &i.pixels, &mut r.rows);
            sections::blur_columns(i.shape.width, i.shape.height, &i.taps, &r.rows, &mut r.out);
        },
        |i, r| {
            written::blur_rows(i.shape, &i.taps, &i.pixels, &mut r.rows);
            written::blur_columns(i.shape, &i.taps, &r.rows, &mut r.out);
        },
    ),
    (
        "sobel",
        |i, r| sections::sobel(i.shape.width, i.shape.height, &i.pixels, &mut r.out),
        |i, r| written::sobel(i.shape, &i.pixels, &mut r.out),
    ),
    (
        "unsharp",
        |i, r| {
            sections::blur_rows(i.shape.width, &i.taps, &i.pixels, &mut r.rows);
            sections::unsharp_columns(
                i.shape.width,
                i.shape.height,
                1.0,
                &i.taps,
                &i.pixels,
                &r.rows,
                &mut r.out,
            );
        },
        |i, r| {
            written::blur_rows(i.shape, &i.taps, &i.pixels, &mut r.rows);
            written::unsharp_columns(i.shape, 1.0, &i.taps, &i.pixels, &r.rows, &mut r.out);
        },
    ),
    (
        "contrast",
        |i, r| {
            let (sums, squares) = (&mut r.sums, &mut r.squares);
            sections::window_rows(i.shape.width, HALF, &i.pixels, sums, squares);
            sections::contrast_columns(
                i.shape.width,
                i.shape.height,
                HALF,
                48.0,
                128.0,
                &i.pixels,
                sums,
                squares,
                &mut r.out,
            );
        },
        |i, r| {
            written::window_rows(i.shape, HALF, &i.pixels, &mut r.sums, &mut r.squares);
            let (sums, squares) = (&r.sums[..], &r.squares[..]);
            let windows = written::Windows { sums, squares };
            written::contrast_columns(i.shape, HALF, 48.0, 128.0, &i.pixels, windows, &mut r.out);
        },
    ),
    (
        "equalize",
        |i, r| {
            sections::equalize(
                i.shape.width * i.shape.height,
                &i.cdf,
                &i.least,
                &i.pixels,
                &mut r.out,
            )
        },
        |i, r| written::equalize(i.shape, &i.cdf, &i.least, &i.pixels, &mut r.out),
    ),
];

/// Measures each filter both ways, turn about, and compares the pictures.
///
/// # Panics
/// When the two ways differ in a pixel.
pub fn run() -> Vec<Row> {
    let input = Input::new();
    let room = Room::new(input.pixels.len());
    FILTERS
        .iter()
        .map(|(filter, ours, rayon)| pair(filter, &input, &room, [*ours, *rayon]))
        .collect()
}

fn pair(filter: &str, input: &Input, room: &Room, ways: [Way; 2]) -> Row {
    let mut rooms = [room.clone(), room.clone()];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for turn in [round % 2, 1 - round % 2] {
            let start = Instant::now();
            ways[turn](input, &mut rooms[turn]);
            times[turn].push(start.elapsed().as_secs_f64());
        }
    }
    assert!(
        rooms[0].out == rooms[1].out,
        "{filter}: the two ways differ"
    );
    let [ours_s, rayon_s] = times.map(median);
    Row::Cpu(Cpu {
        filter: filter.into(),
        ours_s,
        rayon_s,
        ratio: rayon_s / ours_s,
    })
}
