//! Lengths that are of another type, or differ.

use hotsled::parallel;

pub const NARROW: u32 = 4;
pub const N: usize = 4;

#[hotsled::section]
pub fn mistyped(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let a = [1.0f32; NARROW];
        let b: [f32; N + 1] = [1.0; N];
        y[i] = a[i] + b[i];
    }
}

fn main() {}
