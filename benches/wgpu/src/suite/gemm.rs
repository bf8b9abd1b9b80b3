//! Matrix times matrix of `f32`, one element an index. Its size counts rows, columns and depth.

use std::hint::black_box;

use hotsled::{Grid, parallel2};

use super::Entry;
use crate::data::Data;
use crate::problem::{Arg, GROUP, Problem, sides};

pub const ENTRY: Entry = Entry {
    name: "gemm",
    size: 512,
    small: 70,
    problem,
};

#[hotsled::section]
fn gemm(a: &Grid<f32>, b: &Grid<f32>, c: &mut Grid<f32>) {
    for (i, j) in parallel2(0..c.rows(), 0..c.cols()) {
        let mut sum = 0.0f32;
        for k in 0..a.cols() {
            sum += a[(i, k)] * b[(k, j)];
        }
        c[(i, j)] = sum;
    }
}

const WGSL: &str = "
@group(0) @binding(0) var<uniform> n: u32;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

@compute @workgroup_size(64)
fn gemm(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.y;
    let j = id.x;
    if j < n {
        var sum = 0.0;
        for (var k = 0u; k < n; k++) {
            sum += a[i * n + k] * b[k * n + j];
        }
        c[i * n + j] = sum;
    }
}
";

fn plain(n: usize, a: &[f32], b: &[f32]) -> Vec<f32> {
    let mut c = vec![0.0; n * n];
    for (c, a) in c.chunks_mut(n).zip(a.chunks(n)) {
        for (a, b) in a.iter().zip(b.chunks(n)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
    }
    c
}

fn problem(n: usize) -> Problem {
    black_box(gemm as fn(&Grid<f32>, &Grid<f32>, &mut Grid<f32>));
    let table = |add: usize| {
        let value = move |i: usize| (((i / n) * (i % n + add)) % n) as f32 / n as f32;
        (0..n * n).map(value).collect::<Vec<_>>()
    };
    let (a, b) = (table(1), table(2));
    let wanted = vec![Data::F32(plain(n, &a, &b))];
    let slices = [
        Arg::Input(Data::F32(a)),
        Arg::Input(Data::F32(b)),
        Arg::Result(Data::F32(vec![0.0; n * n])),
    ];
    Problem {
        kernel: ENTRY.name,
        section: concat!(module_path!(), "::gemm"),
        indices: 0..(n * n) as u64,
        args: slices.into_iter().chain(sides(3, n)).collect(),
        wgsl: WGSL,
        uniform: (n as u32).to_le_bytes().to_vec(),
        groups: [(n as u32).div_ceil(GROUP), n as u32, 1],
        wanted,
        tolerance: 1e-5,
    }
}
