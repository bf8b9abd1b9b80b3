//! Math functions, in the section language.

/// `x` to the power `n`, by squaring; a negative `n` takes the reciprocal last.
pub fn powi_f64(x: f64, n: i32) -> f64 {
    let mut value = 1.0;
    let mut base = x;
    let mut left = n.unsigned_abs();
    while left != 0 {
        if left & 1 == 1 {
            value = value * base;
        }
        base = base * base;
        left = left >> 1;
    }
    if n < 0 { 1.0 / value } else { value }
}

/// `x` to the power `n`, computed in `f64` and rounded once.
pub fn powi_f32(x: f32, n: i32) -> f32 {
    powi_f64(x as f64, n) as f32
}
