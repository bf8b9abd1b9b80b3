//! One sweep of the mean of a point and its four neighbours, of `f64`. Its size counts points of a side.

use super::Entry;
use crate::data::Data;
use crate::problem::{Arg, GROUP, Problem, sides};

pub const ENTRY: Entry = Entry {
    name: "jacobi-2d",
    size: 1024,
    small: 100,
    problem,
};

const WGSL: &str = "
@group(0) @binding(0) var<uniform> n: u32;
@group(0) @binding(1) var<storage, read> a: array<f64>;
@group(0) @binding(2) var<storage, read_write> b: array<f64>;

@compute @workgroup_size(64)
fn jacobi_2d(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x + 1;
    let i = (id.y + 1) * n + c;
    if c < n - 1 {
        let beside = a[i] + a[i - 1] + a[i + 1];
        b[i] = 0.2lf * (beside + a[i + n] + a[i - n]);
    }
}
";

fn plain(n: usize, a: &[f64]) -> Vec<f64> {
    let mut b = a.to_vec();
    for r in 1..n - 1 {
        for i in r * n + 1..(r + 1) * n - 1 {
            b[i] = 0.2 * (a[i] + a[i - 1] + a[i + 1] + a[i + n] + a[i - n]);
        }
    }
    b
}

fn problem(n: usize) -> Problem {
    let wave = |i: usize| (i as f64 * 0.01).sin();
    let a: Vec<_> = (0..n * n).map(|i| wave(i / n) * wave(i % n)).collect();
    let wanted = vec![Data::F64(plain(n, &a))];
    let slices = [Arg::Input(Data::F64(a.clone())), Arg::Result(Data::F64(a))];
    Problem {
        kernel: ENTRY.name,
        section: "kernels::suite::jacobi_2d::jacobi_2d",
        indices: n as u64..(n * (n - 1)) as u64,
        args: slices.into_iter().chain(sides(2, n)).collect(),
        wgsl: WGSL,
        uniform: (n as u32).to_le_bytes().to_vec(),
        groups: [(n as u32 - 2).div_ceil(GROUP), n as u32 - 2, 1],
        wanted,
        tolerance: 1e-14,
    }
}
