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

#[hotsled::device_fn]
pub fn returns_tuple(x: f32) -> (f32, f32) {
    x
}

#[hotsled::device_fn]
pub fn takes_others(mut a: (f32, f32), (b, mut c): (f32, f32), d: (f32, u8), e: [f32; 2]) -> f32 {
    a.0
}

#[hotsled::device_fn]
pub fn takes_pair(p: (f32, f32)) -> f32 {
    p.0 = 1.0;
    p.1
}

pub struct Point {
    x: f32,
    y: f32,
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
        y[i] = takes_pair((y[i], 1.0));
        let point = Point { x: y[i], y: 0.5f32 };
        y[i] = takes_pair(point);
        y[i] = takes_pair(if y[i] > 0.0 { y[i] = 2.0; (y[i], y[i]) } else { (y[i], y[i]) });
    }
}

fn main() {}
