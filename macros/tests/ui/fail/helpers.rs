//! What helpers are not, and what a section does not know about them.

use hotsled::parallel;

#[hotsled::device_fn(fast)]
pub fn takes_slice(x: &[f32]) -> f32 {
    x[0]
}

#[hotsled::device_fn]
pub fn returns_nothing(x: f32) {
    let y = x;
}

#[hotsled::device_fn]
pub fn generic<T>(x: f32) -> f32 {
    x
}

const SCALE: f32 = 2.0;

#[hotsled::device_fn]
pub fn guesses_constant(x: f32) -> f32 {
    let s = SCALE;
    x
}

#[hotsled::device_fn]
pub fn double(x: f32) -> f32 {
    x * 2.0
}

#[hotsled::section]
pub fn unknown_types(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let v = double(y[i]);
        let s = SCALE;
        y[i] = double(2.0);
    }
}

fn main() {}
