//! Random sections: CPU code, interpreter and simulated device give the same bits.
//!
//! `build/` writes them. `HOTSLED_SECTIONS_SEED=n` chooses others, `HOTSLED_SECTIONS=n` how many.

#[path = "language/agree.rs"]
#[allow(dead_code, reason = "the language's own tests use all of it")]
mod agree;

use hotsled::parallel;

use crate::agree::ToArg;

/// Arguments; long enough for groups, with a rest, and with values that hurt among neighbours that do not.
mod data {
    const LEN: usize = 67;
    /// A length that the macro does not see.
    pub const EIGHT: usize = 8;

    pub fn a() -> f32 {
        1.25
    }

    pub fn b() -> f64 {
        -0.3
    }

    pub fn c() -> i32 {
        -7
    }

    pub fn d() -> u64 {
        0x1_0000_0003
    }

    macro_rules! helpers {
        ($($name:ident $ty:ident;)*) => {$(
            #[hotsled::device_fn]
            pub fn $name((low, high): ($ty, $ty), by: $ty) -> $ty {
                if low < high { high - by } else { low * by }
            }
        )*};
    }

    helpers! {
        between_f32 f32;
        between_f64 f64;
        between_i32 i32;
        between_u32 u32;
        between_i64 i64;
        between_u64 u64;
        between_usize usize;
    }

    macro_rules! vectors {
        ($($name:ident $ty:ident $hurts:expr;)*) => {$(
            pub fn $name() -> Vec<$ty> {
                let hurts: &[$ty] = &$hurts;
                let value = |i: usize| match i % 5 {
                    3 if i > 20 => hurts[i / 5 % hurts.len()],
                    _ => (i as i64 * 3 - 40) as $ty,
                };
                (0..LEN).map(value).collect()
            }
        )*};
    }

    vectors! {
        xf f32 [f32::NAN, f32::INFINITY, -0.0, 1e-40, 3e9, -1e30, 0.5];
        xd f64 [f64::NAN, f64::NEG_INFINITY, -0.0, 5e-324, 1e19, -1e300, 0.1];
        xi i32 [i32::MIN, i32::MAX, -1, 0, 1 << 16];
        xu u32 [u32::MAX, 0, 1 << 31, 7];
        xl i64 [i64::MIN, i64::MAX, -1, 0, 1 << 40];
        xq u64 [u64::MAX, 0, 1 << 63, 7];
        xb u8 [0, 255, 128];
        xh i16 [i16::MIN, i16::MAX, -1];
        yf f32 [f32::NAN, -0.0];
        yd f64 [f64::INFINITY, -0.0];
        yi i32 [i32::MIN];
        yu u32 [u32::MAX];
        yq u64 [u64::MAX];
    }
}

#[allow(warnings, reason = "nobody wrote them")]
mod sections {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/sections.rs"));
}
