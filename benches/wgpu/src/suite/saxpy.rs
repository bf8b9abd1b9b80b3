//! `y = a * x + y` of `f32`. Its size counts elements.

use super::Entry;
use crate::data::Data;
use crate::problem::{Arg, GROUP, Problem};

pub const ENTRY: Entry = Entry {
    name: "saxpy",
    // 4 << 20 would be one group more than a dispatch may have.
    size: 4_000_000,
    small: 10_000,
    problem,
};

const A: f32 = 3.0;

const WGSL: &str = "
@group(0) @binding(0) var<uniform> a: f32;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i < arrayLength(&y) {
        y[i] = a * x[i] + y[i];
    }
}
";

fn plain(x: &[f32], y: &[f32]) -> Vec<f32> {
    x.iter().zip(y).map(|(x, y)| A * x + y).collect()
}

fn problem(n: usize) -> Problem {
    let x: Vec<_> = (0..n).map(|i| (i % 1000) as f32 / 7.0).collect();
    let y: Vec<_> = (0..n).map(|i| (i % 7) as f32 / 3.0).collect();
    let wanted = vec![Data::F32(plain(&x, &y))];
    Problem {
        kernel: ENTRY.name,
        section: "kernels::suite::saxpy::saxpy",
        indices: 0..n as u64,
        args: vec![
            Arg::Scalar(A.to_bits().into()),
            Arg::Input(Data::F32(x)),
            Arg::Result(Data::F32(y)),
        ],
        wgsl: WGSL,
        uniform: A.to_le_bytes().to_vec(),
        groups: [(n as u32).div_ceil(GROUP), 1, 1],
        wanted,
        tolerance: 1e-6,
    }
}
