//! Gravity of all bodies on all bodies, in `f64`. Its size counts bodies.

use std::f64::consts::TAU;

use super::Entry;
use crate::data::Data;
use crate::problem::{Arg, GROUP, Problem};

pub const ENTRY: Entry = Entry {
    name: "nbody",
    size: 4096,
    small: 300,
    problem,
};

const WGSL: &str = "
@group(0) @binding(0) var<uniform> mass: f64;
@group(0) @binding(1) var<storage, read> x: array<f64>;
@group(0) @binding(2) var<storage, read> y: array<f64>;
@group(0) @binding(3) var<storage, read_write> ax: array<f64>;
@group(0) @binding(4) var<storage, read_write> ay: array<f64>;

@compute @workgroup_size(64)
fn nbody(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let n = arrayLength(&x);
    if i >= n {
        return;
    }
    let x0 = x[i];
    let y0 = y[i];
    var sum_x = 0.0lf;
    var sum_y = 0.0lf;
    for (var j = 0u; j < n; j++) {
        let dx = x[j] - x0;
        let dy = y[j] - y0;
        let square = dx * dx + dy * dy;
        if square > 0.0lf {
            let pull = mass / (square * sqrt(square));
            sum_x += pull * dx;
            sum_y += pull * dy;
        }
    }
    ax[i] = sum_x;
    ay[i] = sum_y;
}
";

/// Both components.
fn plain(mass: f64, body: (f64, f64), x: &[f64], y: &[f64]) -> (f64, f64) {
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

fn problem(n: usize) -> Problem {
    let angle = |i: usize| TAU * i as f64 / n as f64;
    let mass = 1.0 / n as f64;
    let x: Vec<_> = (0..n).map(|i| angle(i).cos()).collect();
    let y: Vec<_> = (0..n).map(|i| angle(i).sin()).collect();
    let bodies = x
        .iter()
        .zip(&y)
        .map(|(x0, y0)| plain(mass, (*x0, *y0), &x, &y));
    let (ax, ay): (Vec<_>, Vec<_>) = bodies.unzip();
    Problem {
        kernel: ENTRY.name,
        section: "kernels::suite::nbody::nbody",
        indices: 0..n as u64,
        args: vec![
            Arg::Scalar(mass.to_bits()),
            Arg::Input(Data::F64(x)),
            Arg::Input(Data::F64(y)),
            Arg::Result(Data::F64(vec![0.0; n])),
            Arg::Result(Data::F64(vec![0.0; n])),
        ],
        wgsl: WGSL,
        uniform: mass.to_le_bytes().to_vec(),
        groups: [(n as u32).div_ceil(GROUP), 1, 1],
        wanted: vec![Data::F64(ax), Data::F64(ay)],
        tolerance: 1e-12,
    }
}
