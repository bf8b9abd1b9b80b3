//! The values of a slice, and how far two of them are apart.

use bytemuck::{cast_slice, cast_slice_mut};

/// The values of one slice.
#[derive(Clone, Debug)]
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    U32(Vec<u32>),
}

impl Data {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::U32(v) => v.len(),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::F32(v) => cast_slice(v),
            Self::F64(v) => cast_slice(v),
            Self::U32(v) => cast_slice(v),
        }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::F32(v) => cast_slice_mut(v),
            Self::F64(v) => cast_slice_mut(v),
            Self::U32(v) => cast_slice_mut(v),
        }
    }

    /// Floats: the largest difference as a part of the largest wanted value. Whole numbers: the part that differs.
    pub fn difference(&self, wanted: &Self) -> f64 {
        match (self, wanted) {
            (Self::F32(a), Self::F32(b)) => apart(a, b),
            (Self::F64(a), Self::F64(b)) => apart(a, b),
            (Self::U32(a), Self::U32(b)) => {
                let other = a.iter().zip(b).filter(|(a, b)| a != b);
                other.count() as f64 / b.len() as f64
            }
            _ => f64::INFINITY,
        }
    }
}

/// A NaN is apart without bound.
fn apart<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
    let size = |v: &T| (*v).into().abs();
    let largest = b.iter().map(size).fold(f64::MIN_POSITIVE, f64::max);
    let pairs = a.iter().zip(b).map(|(a, b)| ((*a).into(), (*b).into()));
    let gap = |(a, b): (f64, f64)| (a - b).abs();
    let most = pairs.map(gap).fold(0.0, |most, gap| {
        if gap.is_nan() {
            f64::INFINITY
        } else {
            f64::max(most, gap)
        }
    });
    most / largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_differ_as_a_part_of_the_largest() {
        let wanted = Data::F64(vec![4.0, -10.0]);
        assert_eq!(Data::F64(vec![5.0, -10.0]).difference(&wanted), 0.1);
        let nan = Data::F64(vec![f64::NAN, -10.0]);
        assert_eq!(nan.difference(&wanted), f64::INFINITY);
    }

    #[test]
    fn whole_numbers_differ_by_how_many() {
        let wanted = Data::U32(vec![1, 2, 3, 4]);
        assert_eq!(Data::U32(vec![1, 2, 9, 4]).difference(&wanted), 0.25);
        assert_eq!(Data::F32(vec![1.0]).difference(&wanted), f64::INFINITY);
    }
}
