//! What a section's signature and shape are not.

use hotsled::parallel;

#[hotsled::section(gpu)]
pub async fn is_async(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i + 1] = 0.0;
    }
}

#[hotsled::section]
pub unsafe fn is_unsafe(y: &mut [f32]) -> f32 {
    for i in parallel(0..y.len()) {
        y[i] = 0.0;
    }
}

#[hotsled::section]
pub fn generic<T: Copy>(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = 0.0;
    }
}

#[hotsled::section]
pub fn parameter(x: &[char], a: &f32, n: u8, (b, c): (u32, u32), mut y: Vec<f32>) {
    for i in parallel(0..y.len()) {}
}

#[hotsled::section]
pub fn no_loop(y: &mut [f32]) {
    y[0] = 1.0;
}

#[hotsled::section]
pub fn two_loops(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = 0.0;
    }
    for i in parallel(0..y.len()) {
        y[i] = 0.0;
    }
}

#[hotsled::section]
pub fn closed_range(y: &mut [f32]) {
    for i in parallel(0..=7) {
        y[i] = 0.0;
    }
}

fn main() {}
