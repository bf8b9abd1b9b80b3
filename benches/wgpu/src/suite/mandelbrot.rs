//! Steps until `z * z + c` leaves the circle of radius 2, in `f64`. Its size counts pixels of a side.

use super::Entry;
use crate::data::Data;
use crate::problem::{Arg, GROUP, Problem};

pub const ENTRY: Entry = Entry {
    name: "mandelbrot",
    size: 768,
    small: 100,
    problem,
};

const STEPS: u32 = 400;
const LEFT: f64 = -2.0;
const TOP: f64 = -1.25;
/// Both sides of the square that is looked at.
const SIDE: f64 = 2.5;

const WGSL: &str = "
struct View { left: f64, top: f64, pixel: f64, n: u32, limit: u32 }
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read_write> steps: array<u32>;

@compute @workgroup_size(64)
fn mandelbrot(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= view.n {
        return;
    }
    let cx = view.left + (f64(id.x) + 0.5lf) * view.pixel;
    let cy = view.top + (f64(id.y) + 0.5lf) * view.pixel;
    var x = 0.0lf;
    var y = 0.0lf;
    var k = 0u;
    while k < view.limit && x * x + y * y <= 4.0lf {
        let next = x * x - y * y + cx;
        y = 2.0lf * x * y + cy;
        x = next;
        k++;
    }
    steps[id.y * view.n + id.x] = k;
}
";

fn plain(cx: f64, cy: f64) -> u32 {
    let (mut x, mut y) = (0.0, 0.0);
    for k in 0..STEPS {
        if x * x + y * y > 4.0 {
            return k;
        }
        (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
    }
    STEPS
}

fn problem(n: usize) -> Problem {
    let pixel = SIDE / n as f64;
    let at = |from: f64, i: usize| from + (i as f64 + 0.5) * pixel;
    let steps = (0..n * n).map(|i| plain(at(LEFT, i % n), at(TOP, i / n)));
    let floats = [LEFT, TOP, pixel];
    let words = [n as u32, STEPS];
    Problem {
        kernel: ENTRY.name,
        section: "kernels::suite::mandelbrot::mandelbrot",
        indices: 0..(n * n) as u64,
        args: vec![
            Arg::Scalar(n as u64),
            Arg::Scalar(LEFT.to_bits()),
            Arg::Scalar(TOP.to_bits()),
            Arg::Scalar(pixel.to_bits()),
            Arg::Scalar(STEPS.into()),
            Arg::Result(Data::U32(vec![0; n * n])),
        ],
        wgsl: WGSL,
        uniform: [bytemuck::cast_slice(&floats), bytemuck::cast_slice(&words)].concat(),
        groups: [(n as u32).div_ceil(GROUP), n as u32, 1],
        wanted: vec![Data::U32(steps.collect())],
        // Points near the rim, should products and sums be fused.
        tolerance: 1e-3,
    }
}
