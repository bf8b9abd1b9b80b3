//! Lengths that only the compiler finds wrong.

use hotsled::parallel;

pub const NONE: usize = 0;
pub const MANY: usize = 2049;
pub const MOST: usize = 2048;

#[hotsled::section]
pub fn too_many(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let a = [1.0f32; MANY];
        y[i] = a[i];
    }
}

#[hotsled::section]
pub fn too_many_together(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let a = [1.0f32; MOST];
        let b = [2.0f32; 1];
        y[i] = a[i] + b[0];
    }
}

#[hotsled::device_fn]
pub fn none(x: f32) -> f32 {
    let a = [x; NONE * 2];
    x
}

fn main() {}
