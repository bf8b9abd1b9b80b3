//! What kernels compute, to be compared bit by bit and by size.

/// The values of one result.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Of `f32`.
    F32(&'a [f32]),
    /// Of `f64`.
    F64(&'a [f64]),
    /// Of `u32`.
    U32(&'a [u32]),
    /// Of bytes.
    U8(&'a [u8]),
}

impl Values<'_> {
    /// Whether both are the same bits.
    pub fn same_bits(self, other: Self) -> bool {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => a
                .iter()
                .map(|v| v.to_bits())
                .eq(b.iter().map(|v| v.to_bits())),
            (Self::F64(a), Self::F64(b)) => a
                .iter()
                .map(|v| v.to_bits())
                .eq(b.iter().map(|v| v.to_bits())),
            (Self::U32(a), Self::U32(b)) => a == b,
            (Self::U8(a), Self::U8(b)) => a == b,
            _ => false,
        }
    }

    /// The largest difference from `reference`, as a part of its largest value; a NaN differs without bound.
    pub fn difference(self, reference: Self) -> f64 {
        let (a, b) = (self.to_f64(), reference.to_f64());
        if a.len() != b.len() {
            return f64::INFINITY;
        }
        let largest = b.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
        let differences = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
        let apart = |d: f64| if d.is_nan() { f64::INFINITY } else { d };
        differences.fold(0.0, |m: f64, d| m.max(apart(d))) / largest
    }

    fn to_f64(self) -> Vec<f64> {
        fn all<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
            values.iter().map(|v| (*v).into()).collect()
        }
        match self {
            Self::F32(v) => all(v),
            Self::F64(v) => v.to_vec(),
            Self::U32(v) => all(v),
            Self::U8(v) => all(v),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_both_signs_differ_in_bits_only() {
        let (a, b) = (Values::F32(&[0.0]), Values::F32(&[-0.0]));
        assert!(!a.same_bits(b));
        assert_eq!(a.difference(b), 0.0);
    }

    #[test]
    fn differences_are_relative_and_nan_counts() {
        let b = Values::F64(&[4.0, -10.0]);
        assert_eq!(Values::F64(&[5.0, -10.0]).difference(b), 0.1);
        let nan = Values::F64(&[f64::NAN, -10.0]);
        assert_eq!(nan.difference(b), f64::INFINITY);
        assert_eq!(Values::F64(&[4.0]).difference(b), f64::INFINITY);
    }
}
