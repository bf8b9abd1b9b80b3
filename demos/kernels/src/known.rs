//! Comparing results with what is known of them.

/// Holds `got` against `wanted`, both named `what`.
pub fn close(what: &str, got: f64, wanted: f64, tolerance: f64) -> Result<(), String> {
    if is_close(got, wanted, tolerance) {
        return Ok(());
    }
    Err(format!("{what}: {got} instead of {wanted}"))
}

/// Holds every value against that wanted for its index.
pub fn all<T: Copy + Into<f64>>(
    got: &[T],
    tolerance: f64,
    wanted: impl Fn(usize) -> f64,
) -> Result<(), String> {
    let mut pairs = got
        .iter()
        .enumerate()
        .map(|(i, v)| (i, (*v).into(), wanted(i)));
    match pairs.find(|(_, got, wanted)| !is_close(*got, *wanted, tolerance)) {
        None => Ok(()),
        Some((i, got, wanted)) => Err(format!("element {i}: {got} instead of {wanted}")),
    }
}

/// A NaN is close to nothing.
fn is_close(got: f64, wanted: f64, tolerance: f64) -> bool {
    (got - wanted).abs() <= tolerance
}
