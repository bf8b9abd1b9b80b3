//! A plain function has no virtual ISA.

use hotsled::parallel;

pub fn plain(x: f32) -> f32 {
    x * 2.0
}

#[hotsled::section]
pub fn calls(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = plain(y[i]);
    }
}

fn main() {}
