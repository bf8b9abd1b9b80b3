//! What the length of a local array is not.

use hotsled::parallel;

pub const N: usize = 4;

#[hotsled::section]
pub fn no_constants<const G: usize>(n: usize, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let k = 3;
        let a = [0.0f32; n];
        let b = [0.0f32; N * k];
        let c = [0.0f32; i + 1];
        let d = [0.0f32; G];
        let e = [0.0f32; size(4)];
        let f = [0.0f32; x.len()];
        let g = [0.0f32; unknown];
        let h = [0.0f32; 2049];
        y[i] = x[i];
    }
}

#[hotsled::section]
pub fn out_of_order(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        const TWICE: usize = 2 * HALF;
        const HALF: usize = 2;
        let a = [1.0f32; TWICE];
        y[i] = a[i];
    }
}

#[hotsled::device_fn]
pub fn no_constant_either(n: usize) -> f32 {
    let a = [1.0f32; n];
    a[0]
}

fn main() {}
