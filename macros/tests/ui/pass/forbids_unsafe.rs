#![forbid(unsafe_code)]
#![deny(warnings)]

//! A crate that forbids unsafe code and every warning.

use hotsled::parallel;

/// `y = a * x + y`.
#[hotsled::section]
pub fn saxpy(a: f32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = a * x[i] + y[i];
    }
}

fn main() {
    let mut y = vec![1.0; 10];
    saxpy(2.0, &[3.0; 10], &mut y);
    assert_eq!(y, [7.0; 10]);
}
