//! Flow in a periodic square: lattice Boltzmann, nine directions, one relaxation time.

use std::f64::consts::TAU;

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "lattice-boltzmann",
    source: "D2Q9 (Qian, d'Humieres, Lallemand 1992); mass stays, a Taylor-Green vortex decays by its viscosity",
    counts: "points of a side",
    size: 320,
    small: 64,
    tolerance: 0.0,
    new: |n| Box::new(Flow::new(n)),
};

const STEPS: usize = 10;
const RELAXATION: f64 = 0.8;
/// Speed of the vortex, small beside that of sound, 0.577.
const SPEED: f64 = 0.01;

/// Directions, opposite ones after one another: rest, east, west, north, south, and the diagonals.
const DX: [i32; 9] = [0, 1, -1, 0, 0, 1, -1, 1, -1];
const DY: [i32; 9] = [0, 0, 0, 1, -1, 1, -1, -1, 1];
const WEIGHTS: [f64; 9] = {
    let (near, diagonal) = (1.0 / 9.0, 1.0 / 36.0);
    [
        4.0 / 9.0,
        near,
        near,
        near,
        near,
        diagonal,
        diagonal,
        diagonal,
        diagonal,
    ]
};

/// What flows in one direction when nothing changes any more. `along` is the velocity in that
/// direction, `square` that of the velocity.
#[hotsled::device_fn]
fn balance(weight: f64, density: f64, along: f64, square: f64) -> f64 {
    weight * density * (1.0 + 3.0 * along + 4.5 * along * along - 1.5 * square)
}

/// Pulls what flows to a point from its neighbours, and lets it collide there. `f` holds the nine
/// directions one after the other.
#[hotsled::section]
#[expect(clippy::too_many_arguments, reason = "a slice for each direction")]
fn lattice_boltzmann(
    n: usize,
    relaxation: f64,
    f: &[f64],
    rest: &mut [f64],
    east: &mut [f64],
    west: &mut [f64],
    north: &mut [f64],
    south: &mut [f64],
    north_east: &mut [f64],
    south_west: &mut [f64],
    south_east: &mut [f64],
    north_west: &mut [f64],
) {
    for i in parallel(0..rest.len()) {
        const NEAR: f64 = 1.0 / 9.0;
        const DIAGONAL: f64 = 1.0 / 36.0;
        let all = n * n;
        let (x, y) = (i % n, i / n * n);
        let (left, right) = ((x + n - 1) % n, (x + 1) % n);
        let (below, above) = ((y + all - n) % all, (y + n) % all);
        let f0 = f[y + x];
        let f1 = f[all + y + left];
        let f2 = f[2 * all + y + right];
        let f3 = f[3 * all + below + x];
        let f4 = f[4 * all + above + x];
        let f5 = f[5 * all + below + left];
        let f6 = f[6 * all + above + right];
        let f7 = f[7 * all + above + left];
        let f8 = f[8 * all + below + right];
        let density = f0 + f1 + f2 + f3 + f4 + f5 + f6 + f7 + f8;
        let u = (f1 - f2 + f5 - f6 + f7 - f8) / density;
        let v = (f3 - f4 + f5 - f6 - f7 + f8) / density;
        let square = u * u + v * v;
        let b0: f64 = balance(4.0f64 / 9.0, density, 0.0f64, square);
        let b1: f64 = balance(NEAR, density, u, square);
        let b2: f64 = balance(NEAR, density, -u, square);
        let b3: f64 = balance(NEAR, density, v, square);
        let b4: f64 = balance(NEAR, density, -v, square);
        let b5: f64 = balance(DIAGONAL, density, u + v, square);
        let b6: f64 = balance(DIAGONAL, density, -u - v, square);
        let b7: f64 = balance(DIAGONAL, density, u - v, square);
        let b8: f64 = balance(DIAGONAL, density, v - u, square);
        rest[i] = f0 + (b0 - f0) / relaxation;
        east[i] = f1 + (b1 - f1) / relaxation;
        west[i] = f2 + (b2 - f2) / relaxation;
        north[i] = f3 + (b3 - f3) / relaxation;
        south[i] = f4 + (b4 - f4) / relaxation;
        north_east[i] = f5 + (b5 - f5) / relaxation;
        south_west[i] = f6 + (b6 - f6) / relaxation;
        south_east[i] = f7 + (b7 - f7) / relaxation;
        north_west[i] = f8 + (b8 - f8) / relaxation;
    }
}

/// What streams to a point, apart from the section.
fn arriving(n: usize, f: &[f64], x: usize, y: usize) -> [f64; 9] {
    let back = |at: usize, step: i32| (at + n).wrapping_add_signed(-step as isize) % n;
    std::array::from_fn(|k| f[(k * n + back(y, DY[k])) * n + back(x, DX[k])])
}

fn density(f: &[f64; 9]) -> f64 {
    f[1..].iter().fold(f[0], |sum, f| sum + f)
}

fn velocity(f: &[f64; 9]) -> (f64, f64) {
    let density = density(f);
    let u = f[1] - f[2] + f[5] - f[6] + f[7] - f[8];
    let v = f[3] - f[4] + f[5] - f[6] - f[7] + f[8];
    (u / density, v / density)
}

fn balanced(density: f64, (u, v): (f64, f64)) -> [f64; 9] {
    let square = u * u + v * v;
    std::array::from_fn(|k| {
        let along = f64::from(DX[k]) * u + f64::from(DY[k]) * v;
        WEIGHTS[k] * density * (1.0 + 3.0 * along + 4.5 * along * along - 1.5 * square)
    })
}

fn collided(f: [f64; 9]) -> [f64; 9] {
    let balance = balanced(density(&f), velocity(&f));
    std::array::from_fn(|k| f[k] + (balance[k] - f[k]) / RELAXATION)
}

/// Both of nine directions, one after the other.
struct Flow {
    n: usize,
    f: Vec<f64>,
    next: Vec<f64>,
}

impl Flow {
    fn new(n: usize) -> Self {
        let mut f = vec![0.0; 9 * n * n];
        for i in 0..n * n {
            let start = balanced(1.0, vortex(n, i));
            (0..9).for_each(|k| f[k * n * n + i] = start[k]);
        }
        let next = vec![0.0; f.len()];
        Self { n, f, next }
    }

    /// How much of the vortex is left: the part of the velocity that has its shape.
    fn vortex_left(&self) -> f64 {
        let points = self.n * self.n;
        let at = |i: usize| std::array::from_fn(|k| self.f[k * points + i]);
        let (mut shared, mut whole) = (0.0, 0.0);
        for i in 0..points {
            let ((u, v), (u0, v0)) = (velocity(&at(i)), vortex(self.n, i));
            shared += u * u0 + v * v0;
            whole += u0 * u0 + v0 * v0;
        }
        shared / whole
    }
}

/// The vortex's velocity at a point, when it starts.
fn vortex(n: usize, i: usize) -> (f64, f64) {
    let angle = |k: usize| TAU * k as f64 / n as f64;
    let (x, y) = (angle(i % n), angle(i / n));
    (-SPEED * x.cos() * y.sin(), SPEED * x.sin() * y.cos())
}

fn split(all: &mut [f64]) -> [&mut [f64]; 9] {
    let mut planes = all.chunks_exact_mut(all.len() / 9);
    std::array::from_fn(|_| planes.next().expect("nine directions"))
}

fn step(n: usize, f: &[f64], next: &mut [f64]) {
    let rows = split(next).map(|plane| plane.par_chunks_mut(n));
    let [a, b, c, d, e, g, h, k, l] = rows;
    let rows = (a, b, c, d, e, g, h, k, l).into_par_iter().enumerate();
    rows.for_each(|(y, (a, b, c, d, e, g, h, k, l))| {
        let mut rows = [a, b, c, d, e, g, h, k, l];
        for x in 0..n {
            let new = collided(arriving(n, f, x, y));
            rows.iter_mut().zip(new).for_each(|(row, new)| row[x] = new);
        }
    });
}

impl Kernel for Flow {
    fn section(&mut self) {
        for _ in 0..STEPS {
            let [a, b, c, d, e, g, h, k, l] = split(&mut self.next);
            lattice_boltzmann(self.n, RELAXATION, &self.f, a, b, c, d, e, g, h, k, l);
            std::mem::swap(&mut self.f, &mut self.next);
        }
    }

    fn rayon(&mut self) {
        for _ in 0..STEPS {
            step(self.n, &self.f, &mut self.next);
            std::mem::swap(&mut self.f, &mut self.next);
        }
    }

    fn values(&self) -> Values<'_> {
        Values::F64(&self.f)
    }

    fn known(&self) -> Result<(), String> {
        let points = (self.n * self.n) as f64;
        known::close("mass", self.f.iter().sum(), points, 1e-11 * points)?;
        let wave = TAU / self.n as f64;
        let viscosity = (RELAXATION - 0.5) / 3.0;
        let decay = (-2.0 * viscosity * wave * wave * STEPS as f64).exp();
        // The start lacks the stresses of a flow; they take about a relaxation time to build up.
        known::close("vortex", self.vortex_left(), decay, (1.0 - decay) / 10.0)
    }
}
