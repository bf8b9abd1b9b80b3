//! Steps until `z * z + c` leaves the circle of radius 2.

use hotsled::parallel;
use rayon::prelude::*;

use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "mandelbrot",
    source: "area of the set, 1.50659 (Foerstemann 2012); points known by hand",
    counts: "pixels of a side",
    size: 768,
    small: 160,
    tolerance: 0.0,
    new: |n| Box::new(Mandelbrot::new(n)),
};

const STEPS: u32 = 400;
const LEFT: f64 = -2.0;
const TOP: f64 = -1.25;
/// Both sides of the square that is looked at.
const SIDE: f64 = 2.5;

#[hotsled::section]
fn mandelbrot(n: usize, left: f64, top: f64, pixel: f64, limit: u32, steps: &mut [u32]) {
    for i in parallel(0..steps.len()) {
        let cx = left + ((i % n) as f64 + 0.5) * pixel;
        let cy = top + ((i / n) as f64 + 0.5) * pixel;
        let mut x = 0.0;
        let mut y = 0.0;
        let mut k = 0u32;
        while k < limit && x * x + y * y <= 4.0 {
            let next = x * x - y * y + cx;
            y = 2.0 * x * y + cy;
            x = next;
            k += 1;
        }
        steps[i] = k;
    }
}

/// The same for one point, apart from the section.
fn steps(cx: f64, cy: f64) -> u32 {
    let (mut x, mut y) = (0.0, 0.0);
    for k in 0..STEPS {
        if x * x + y * y > 4.0 {
            return k;
        }
        (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
    }
    STEPS
}

struct Mandelbrot {
    n: usize,
    steps: Vec<u32>,
}

impl Mandelbrot {
    fn new(n: usize) -> Self {
        Self {
            n,
            steps: vec![0; n * n],
        }
    }

    fn pixel(&self) -> f64 {
        SIDE / self.n as f64
    }

    fn at(&self, cx: f64, cy: f64) -> u32 {
        let column = ((cx - LEFT) / self.pixel()) as usize;
        let row = ((cy - TOP) / self.pixel()) as usize;
        self.steps[row * self.n + column]
    }
}

impl Kernel for Mandelbrot {
    fn section(&mut self) {
        mandelbrot(self.n, LEFT, TOP, self.pixel(), STEPS, &mut self.steps);
    }

    fn rayon(&mut self) {
        let (n, pixel) = (self.n, self.pixel());
        let pixels = self.steps.par_iter_mut().enumerate();
        pixels.for_each(|(i, k)| {
            let cx = LEFT + ((i % n) as f64 + 0.5) * pixel;
            let cy = TOP + ((i / n) as f64 + 0.5) * pixel;
            *k = steps(cx, cy);
        });
    }

    fn values(&self) -> Values<'_> {
        Values::U32(&self.steps)
    }

    fn known(&self) -> Result<(), String> {
        // In the cardioid, in the circle around -1, and farther than 2 from the middle.
        known::close(
            "steps at -0.1",
            self.at(-0.1, 0.0).into(),
            STEPS.into(),
            0.0,
        )?;
        known::close(
            "steps at -1.0",
            self.at(-1.0, 0.0).into(),
            STEPS.into(),
            0.0,
        )?;
        known::close("steps at the corner", self.at(LEFT, TOP).into(), 1.0, 0.0)?;
        let inside = self.steps.iter().filter(|k| **k == STEPS).count();
        let area = inside as f64 * self.pixel().powi(2);
        // Its rim is cut into pixels, and some points need more steps to leave.
        known::close("area", area, 1.50659, 0.01 + 4.0 * self.pixel())
    }
}
