//! Reductions of one shape, whatever the split: plain code, CPU workers and devices give the same bits.
//!
//! Leaves of [`LEAF`] consecutive indices, each folded in [`LANES`] lanes (index modulo the number of
//! lanes, ascending), the lanes combined in halves; then the leaves combined in pairs of neighbours, level
//! by level. Chunks are made of whole leaves. The macro emits the same shape for devices.

use std::ops::Range;

use hotsled_ir::math;

/// Consecutive indices of a leaf.
const LEAF: usize = 1024;
/// Lanes of a leaf.
const LANES: usize = 8;

/// The indices of a parallel loop.
///
/// As an iterator it is its range; [`Parallel::map`] begins a reduction.
#[derive(Debug, Clone)]
pub struct Parallel(Range<usize>);

impl Parallel {
    pub(crate) fn new(range: Range<usize>) -> Self {
        Self(range)
    }

    /// The values to reduce, one for each index.
    pub fn map<T, F: Fn(usize) -> T>(self, value: F) -> Mapped<F> {
        let range = self.0;
        Mapped { range, value }
    }
}

impl Iterator for Parallel {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Parallel {}

/// Values of a parallel loop, to be reduced.
#[derive(Debug, Clone)]
pub struct Mapped<F> {
    range: Range<usize>,
    value: F,
}

impl<T: Number, F: Fn(usize) -> T> Mapped<F> {
    /// The sum; zero of none.
    ///
    /// ```
    /// let x = [1.0, 2.0, 3.5];
    /// assert_eq!(hotsled::parallel(0..x.len()).map(|i| x[i]).sum(), 6.5);
    /// ```
    pub fn sum(self) -> T {
        self.fold(T::ZERO, T::add)
    }

    /// The product; one of none.
    pub fn product(self) -> T {
        self.fold(T::ONE, T::mul)
    }

    /// The smallest; the type's largest (infinity for floats) of none. NaNs do not count.
    pub fn min(self) -> T {
        self.fold(T::MOST, T::min)
    }

    /// The largest; the type's smallest (minus infinity for floats) of none. NaNs do not count.
    pub fn max(self) -> T {
        self.fold(T::LEAST, T::max)
    }

    /// Combines all by `op`, for which `identity` changes nothing and grouping does not matter.
    pub fn fold(self, identity: T, op: impl Fn(T, T) -> T) -> T {
        let mut all = leaves(&self.range, identity);
        for (n, leaf) in all.iter_mut().enumerate() {
            *leaf = fold_leaf(&self.range, n, identity, &self.value, &op);
        }
        tree(&all, identity, op)
    }
}

/// Room for the result of every leaf.
pub fn leaves<T: Clone>(range: &Range<usize>, identity: T) -> Vec<T> {
    vec![identity; range.len().div_ceil(LEAF)]
}

/// Folds one leaf.
#[inline(always)]
pub fn fold_leaf<T: Copy>(
    range: &Range<usize>,
    leaf: usize,
    identity: T,
    value: impl Fn(usize) -> T,
    op: impl Fn(T, T) -> T,
) -> T {
    let start = range.start + leaf * LEAF;
    let end = range.end.min(start + LEAF);
    let mut lanes = [identity; LANES];
    let whole = end - (end - start) % LANES;
    for first in (start..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum = op(*sum, value(first + lane));
        }
    }
    for (sum, index) in lanes.iter_mut().zip(whole..end) {
        *sum = op(*sum, value(index));
    }
    for half in [4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = op(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

/// Combines the leaves.
pub fn tree<T: Copy>(leaves: &[T], identity: T, op: impl Fn(T, T) -> T) -> T {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let pair = |pair: &[T]| match *pair {
            [a, b] => op(a, b),
            _ => pair[0],
        };
        level = level.chunks(2).map(pair).collect();
    }
    level.first().copied().unwrap_or(identity)
}

mod sealed {
    pub trait Sealed {}
}

/// A number that reductions know.
pub trait Number: Copy + sealed::Sealed {
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Not above any other.
    const LEAST: Self;
    /// Not below any other.
    const MOST: Self;
    /// The sum; integers wrap.
    fn add(self, other: Self) -> Self;
    /// The product; integers wrap.
    fn mul(self, other: Self) -> Self;
    /// The smaller, as sections define it.
    fn min(self, other: Self) -> Self;
    /// The larger, as sections define it.
    fn max(self, other: Self) -> Self;
}

macro_rules! integers {
    ($($ty:ident)*) => {$(
        impl sealed::Sealed for $ty {}
        impl Number for $ty {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LEAST: Self = $ty::MIN;
            const MOST: Self = $ty::MAX;
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn min(self, other: Self) -> Self {
                Ord::min(self, other)
            }
            fn max(self, other: Self) -> Self {
                Ord::max(self, other)
            }
        }
    )*};
}

macro_rules! floats {
    ($($ty:ident)*) => {$(
        impl sealed::Sealed for $ty {}
        impl Number for $ty {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LEAST: Self = $ty::NEG_INFINITY;
            const MOST: Self = $ty::INFINITY;
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            fn min(self, other: Self) -> Self {
                math::$ty::min(self, other)
            }
            fn max(self, other: Self) -> Self {
                math::$ty::max(self, other)
            }
        }
    )*};
}

integers!(i32 u32 i64 u64);
floats!(f32 f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_counts_once() {
        for n in [0, 1, 7, 8, 9, 1023, 1024, 1025, 5000] {
            let sum = Parallel::new(3..3 + n).map(|i| i as u64).sum();
            assert_eq!(sum, (3..3 + n as u64).sum::<u64>());
        }
    }

    #[test]
    fn the_shape_is_the_documented_one() {
        let seen = std::cell::RefCell::new(Vec::new());
        let value = |i: usize| {
            seen.borrow_mut().push(i);
            i as f64
        };
        assert_eq!(fold_leaf(&(0..20), 0, 0.0, value, |a, b| a + b), 190.0);
        let ascending: Vec<_> = (0..20).collect();
        assert_eq!(*seen.borrow(), ascending, "so that the lowest index panics");
        let pairs = std::cell::RefCell::new(Vec::new());
        let first = tree(&[0, 1, 2, 3, 4], 9, |a, b| {
            pairs.borrow_mut().push((a, b));
            a
        });
        assert_eq!(first, 0);
        assert_eq!(*pairs.borrow(), [(0, 1), (2, 3), (0, 2), (0, 4)]);
    }

    #[test]
    fn nothing_gives_the_identity() {
        let none = || Parallel::new(0..0).map(|_| 1.0f32);
        assert_eq!((none().sum(), none().product()), (0.0, 1.0));
        assert_eq!(
            (none().min(), none().max()),
            (f32::INFINITY, f32::NEG_INFINITY)
        );
    }
}
