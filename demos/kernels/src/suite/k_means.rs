//! The assignment step of k-means: each point's nearest centre.

use hotsled::parallel;
use rayon::prelude::*;

use crate::data::Random;
use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "k-means",
    source: "Rodinia kmeans, assignment; points are planted around centres that lie farther apart",
    counts: "points",
    size: 1 << 20,
    small: 20_000,
    tolerance: 0.0,
    new: |n| Box::new(Means::new(n)),
};

const CENTRES: usize = 16;
const DIMENSIONS: usize = 4;

#[hotsled::section]
fn k_means(centres: &[f32], points: &[f32], nearest: &mut [u32]) {
    for i in parallel(0..nearest.len()) {
        let mut least = f32::INFINITY;
        let mut best = 0u32;
        for c in 0..centres.len() / DIMENSIONS {
            let mut square = 0.0;
            for d in 0..DIMENSIONS {
                let way = points[i * DIMENSIONS + d] - centres[c * DIMENSIONS + d];
                square += way * way;
            }
            if square < least {
                least = square;
                best = c as u32;
            }
        }
        nearest[i] = best;
    }
}

/// The same for one point, apart from the section.
fn nearest(point: &[f32], centres: &[f32]) -> u32 {
    let square = |centre: &[f32]| {
        let ways = point.iter().zip(centre);
        ways.map(|(p, c)| (p - c) * (p - c)).sum::<f32>()
    };
    let squares = centres.chunks_exact(DIMENSIONS).map(square).zip(0..);
    let first = (f32::INFINITY, 0);
    squares.fold(first, |a, b| if b.0 < a.0 { b } else { a }).1
}

struct Means {
    centres: Vec<f32>,
    points: Vec<f32>,
    nearest: Vec<u32>,
}

impl Means {
    /// Centres on the corners of a cube of side 10; no coordinate of a point is 4 or more away from its own's.
    fn new(n: usize) -> Self {
        let corner = |i: usize| match (i / DIMENSIONS) & (1 << (i % DIMENSIONS)) {
            0 => 0.0,
            _ => 10.0,
        };
        let centres: Vec<f32> = (0..CENTRES * DIMENSIONS).map(corner).collect();
        let mut random = Random::new(1957);
        let own = |i: usize| centres[planted(i / DIMENSIONS) * DIMENSIONS + i % DIMENSIONS];
        let points = (0..n * DIMENSIONS).map(|i| own(i) + random.between(-4.0, 4.0) as f32);
        Self {
            points: points.collect(),
            centres,
            nearest: vec![0; n],
        }
    }
}

/// The centre around which a point was planted.
fn planted(point: usize) -> usize {
    point * 7 % CENTRES
}

impl Kernel for Means {
    fn section(&mut self) {
        k_means(&self.centres, &self.points, &mut self.nearest);
    }

    fn rayon(&mut self) {
        let centres = &self.centres;
        let points = self.points.par_chunks_exact(DIMENSIONS);
        let pairs = self.nearest.par_iter_mut().zip(points);
        pairs.for_each(|(out, point)| *out = nearest(point, centres));
    }

    fn values(&self) -> Values<'_> {
        Values::U32(&self.nearest)
    }

    fn known(&self) -> Result<(), String> {
        known::all(&self.nearest, 0.0, |i| planted(i) as f64)
    }
}
