//! The two sections of each type.

use hotsled::parallel;

use crate::BLOCK;

/// What a type brings to a scan.
pub trait Sections: Sized {
    /// The sum of nothing.
    const ZERO: Self;
    /// The sum of two.
    fn plus(self, other: Self) -> Self;
    /// The sum of each block.
    fn sums(values: &[Self], sums: &mut [Self]);
    /// What lies before each value, with `own` of itself: 1 or 0.
    fn spread(own: usize, values: &[Self], before: &[Self], out: &mut [Self]);
}

macro_rules! sections {
    ($($ty:ident $plus:ident $sums:ident $spread:ident $zero:literal;)*) => {$(
        #[hotsled::section]
        fn $sums(values: &[$ty], sums: &mut [$ty]) {
            for block in parallel(0..sums.len()) {
                let start = block * BLOCK;
                let end = (start + BLOCK).min(values.len());
                let mut sum: $ty = $zero;
                for i in start..end {
                    sum = $plus(sum, values[i]);
                }
                sums[block] = sum;
            }
        }

        #[hotsled::section]
        fn $spread(own: usize, values: &[$ty], before: &[$ty], out: &mut [$ty]) {
            for i in parallel(0..out.len()) {
                let block = i / BLOCK;
                let mut sum: $ty = before[block];
                for k in block * BLOCK..i + own {
                    sum = $plus(sum, values[k]);
                }
                out[i] = sum;
            }
        }

        impl Sections for $ty {
            const ZERO: Self = $zero;

            fn plus(self, other: Self) -> Self {
                $plus(self, other)
            }

            fn sums(values: &[Self], sums: &mut [Self]) {
                $sums(values, sums);
            }

            fn spread(own: usize, values: &[Self], before: &[Self], out: &mut [Self]) {
                $spread(own, values, before, out);
            }
        }
    )*};
}

macro_rules! wrapping {
    ($($name:ident $ty:ident;)*) => {$(
        #[hotsled::device_fn]
        fn $name(a: $ty, b: $ty) -> $ty {
            a.wrapping_add(b)
        }
    )*};
}

wrapping! {
    plus_i32 i32;
    plus_u32 u32;
    plus_i64 i64;
    plus_u64 u64;
}

#[hotsled::device_fn]
fn plus_f32(a: f32, b: f32) -> f32 {
    a + b
}

#[hotsled::device_fn]
fn plus_f64(a: f64, b: f64) -> f64 {
    a + b
}

sections! {
    i32 plus_i32 sums_i32 spread_i32 0;
    u32 plus_u32 sums_u32 spread_u32 0;
    i64 plus_i64 sums_i64 spread_i64 0;
    u64 plus_u64 sums_u64 spread_u64 0;
    f32 plus_f32 sums_f32 spread_f32 0.0;
    f64 plus_f64 sums_f64 spread_f64 0.0;
}
