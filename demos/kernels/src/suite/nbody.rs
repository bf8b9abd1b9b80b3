//! Gravity of all bodies on all bodies.

use std::f64::consts::{PI, TAU};

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "nbody",
    source: "equal bodies in a ring pull inwards by the sum of m / (4 sin(pi k / n)) (Maxwell 1859)",
    counts: "bodies",
    size: 4096,
    small: 300,
    tolerance: 0.0,
    new: |n| Box::new(Bodies::new(n)),
};

#[hotsled::section]
fn nbody(mass: f64, x: &[f64], y: &[f64], ax: &mut [f64], ay: &mut [f64]) {
    for i in parallel(0..ax.len()) {
        let (x0, y0) = (x[i], y[i]);
        let (mut sum_x, mut sum_y) = (0.0, 0.0);
        for j in 0..x.len() {
            let (dx, dy) = (x[j] - x0, y[j] - y0);
            let square = dx * dx + dy * dy;
            if square > 0.0 {
                let pull = mass / (square * square.sqrt());
                sum_x += pull * dx;
                sum_y += pull * dy;
            }
        }
        ax[i] = sum_x;
        ay[i] = sum_y;
    }
}

/// The same for one body, apart from the section.
fn pull(mass: f64, body: (f64, f64), x: &[f64], y: &[f64]) -> (f64, f64) {
    let mut sum = (0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - body.0, y - body.1);
        let square = dx * dx + dy * dy;
        if square > 0.0 {
            let pull = mass / (square * square.sqrt());
            sum = (sum.0 + pull * dx, sum.1 + pull * dy);
        }
    }
    sum
}

/// A ring of radius 1 and mass 1.
struct Bodies {
    x: Vec<f64>,
    y: Vec<f64>,
    /// Both components, first all of the one.
    acceleration: Vec<f64>,
}

impl Bodies {
    fn new(n: usize) -> Self {
        let angle = |i: usize| TAU * i as f64 / n as f64;
        Self {
            x: (0..n).map(|i| angle(i).cos()).collect(),
            y: (0..n).map(|i| angle(i).sin()).collect(),
            acceleration: vec![0.0; 2 * n],
        }
    }

    fn mass(&self) -> f64 {
        1.0 / self.x.len() as f64
    }
}

impl Kernel for Bodies {
    fn section(&mut self) {
        let mass = self.mass();
        let (ax, ay) = self.acceleration.split_at_mut(self.x.len());
        nbody(mass, &self.x, &self.y, ax, ay);
    }

    fn rayon(&mut self) {
        let mass = self.mass();
        let (x, y) = (&self.x, &self.y);
        let (ax, ay) = self.acceleration.split_at_mut(x.len());
        let bodies = ax.par_iter_mut().zip(ay).enumerate();
        bodies.for_each(|(i, (ax, ay))| (*ax, *ay) = pull(mass, (x[i], y[i]), x, y));
    }

    fn values(&self) -> Values<'_> {
        Values::F64(&self.acceleration)
    }

    fn known(&self) -> Result<(), String> {
        let n = self.x.len();
        let cosecants = (1..n).map(|k| 1.0 / (PI * k as f64 / n as f64).sin());
        let inwards = self.mass() / 4.0 * cosecants.sum::<f64>();
        let wanted = |i: usize| -inwards * if i < n { self.x[i] } else { self.y[i - n] };
        known::all(&self.acceleration, 1e-8 * inwards, wanted)
    }
}
