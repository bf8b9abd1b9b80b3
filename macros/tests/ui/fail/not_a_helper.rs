//! A plain function has no virtual ISA.

use hotsled::parallel;

mod plain {
    pub fn half(x: f32) -> f32 {
        x / 2.0
    }
}

pub fn twice(x: f32) -> f32 {
    x * 2.0
}

#[hotsled::section]
pub fn calls(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = twice(y[i]);
    }
}

#[hotsled::section]
pub fn calls_by_path(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = plain::half(y[i]);
    }
}

fn main() {}
