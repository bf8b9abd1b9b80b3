//! Prefix sums as pairs of sections.
//!
//! The shape is fixed, so that CPU threads, devices and plain code give the same bits of floats, too: blocks of
//! [`BLOCK`] values are summed upwards, what lies before each block is the scan of these sums, and each value
//! of a block is added upwards to that. Integers wrap.
//!
//! ```
//! assert_eq!(hotsled_scan::inclusive(&[3, 1, 4, 1]), [3, 4, 8, 9]);
//! assert_eq!(hotsled_scan::exclusive(&[3, 1, 4, 1]), [0, 3, 4, 8]);
//! ```
#![forbid(unsafe_code)]

mod sections;

/// Values that one sum of the first section covers.
///
/// An index of a section writes its own element alone, so that a value of the second section adds up what
/// stands before it in its block: half a block, on average.
pub const BLOCK: usize = 32;

/// Blocks up to this many are added up where the call is made.
const FEW: usize = 1024;

/// A number that can be added up; implemented for `i32 u32 i64 u64 f32 f64`.
pub trait Number: Copy + sections::Sections {}

impl<T: Copy + sections::Sections> Number for T {}

/// For each value its sum with all before it.
pub fn inclusive<T: Number>(values: &[T]) -> Vec<T> {
    scan(values, 1)
}

/// For each value the sum of all before it, 0 for the first.
pub fn exclusive<T: Number>(values: &[T]) -> Vec<T> {
    scan(values, 0)
}

/// With so many of the values themselves: one or none.
fn scan<T: Number>(values: &[T], own: usize) -> Vec<T> {
    let mut sums = vec![T::ZERO; values.len().div_ceil(BLOCK)];
    T::sums(values, &mut sums);
    let before = if sums.len() > FEW {
        exclusive(&sums)
    } else {
        one_by_one(&sums)
    };
    let mut out = vec![T::ZERO; values.len()];
    T::spread(own, values, &before, &mut out);
    out
}

/// The exclusive scan of a few sums.
fn one_by_one<T: Number>(sums: &[T]) -> Vec<T> {
    let next = |sum: &mut T, value: &T| {
        let before = *sum;
        *sum = before.plus(*value);
        Some(before)
    };
    sums.iter().scan(T::ZERO, next).collect()
}
