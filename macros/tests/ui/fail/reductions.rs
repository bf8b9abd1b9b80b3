//! What reductions are not.

use hotsled::parallel;

#[hotsled::section]
pub fn mean(x: &[f32], y: &mut [f32]) -> f32 {
    parallel(0..x.len()).map(|i| x[i]).average()
}

#[hotsled::section]
pub fn of_bools(x: &[f32]) -> bool {
    parallel(0..x.len()).map(|i| x[i] > 0.0).max()
}

#[hotsled::section]
pub fn by_name(x: &[f32]) -> f32 {
    parallel(0..x.len()).map(f32::sqrt).sum()
}

#[hotsled::section]
pub fn types(x: &[f32]) -> f32 {
    parallel(0..x.len()).map(|i| x[i] as f64).fold(0, |a, b| if a { b } else { a })
}

fn main() {}
