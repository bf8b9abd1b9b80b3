//! Float operations whose results Rust leaves open, defined once for CPU and devices.
//!
//! `functions` is written in the section language. The CPU runs it as the Rust it is; the macro lowers
//! the same text for devices, so that both compute the same bits.

// The language has neither compound precedence lints nor shared constants.
#[allow(
    clippy::excessive_precision,
    clippy::approx_constant,
    clippy::precedence,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    clippy::manual_range_contains,
    clippy::if_same_then_else
)]
mod functions;

pub use functions::*;

/// The text of the functions, for the macro.
pub const SOURCE: &str = include_str!("functions.rs");

macro_rules! float_math {
    ($module:ident, $float:ty, $bits:ty) => {
        /// The definitions for one float type.
        pub mod $module {
            /// The smaller operand; the other one if one is NaN; `-0` is smaller than `+0`.
            #[inline(always)]
            pub fn min(a: $float, b: $float) -> $float {
                if a < b {
                    a
                } else if b < a {
                    b
                } else if a == b {
                    <$float>::from_bits(a.to_bits() | b.to_bits())
                } else if a.is_nan() {
                    b
                } else {
                    a
                }
            }

            /// The larger operand; the other one if one is NaN; `+0` is larger than `-0`.
            #[inline(always)]
            pub fn max(a: $float, b: $float) -> $float {
                if a > b {
                    a
                } else if b > a {
                    b
                } else if a == b {
                    <$float>::from_bits(a.to_bits() & b.to_bits())
                } else if a.is_nan() {
                    b
                } else {
                    a
                }
            }

            /// To nearest, halves away from zero.
            #[inline(always)]
            pub fn round(a: $float) -> $float {
                a.round()
            }

            /// `a` within `low..=high`; NaN stays NaN.
            ///
            /// # Panics
            /// When `low > high` or either is NaN, as Rust's `clamp` does.
            #[inline(always)]
            #[track_caller]
            pub fn clamp(a: $float, low: $float, high: $float) -> $float {
                a.clamp(low, high)
            }
        }
    };
}

float_math!(f32, f32, u32);
float_math!(f64, f64, u64);

/// `hypot` of `f32`: computed in `f64`, rounded once.
#[inline(always)]
pub fn hypot_f32(a: f32, b: f32) -> f32 {
    if a.is_infinite() || b.is_infinite() {
        return f32::INFINITY;
    }
    let (x, y) = (f64::from(a), f64::from(b));
    (x * x + y * y).sqrt() as f32
}

/// `hypot` of `f64`: `sqrt(a * a + b * b)`, which may overflow where a scaled one would not.
#[inline(always)]
pub fn hypot_f64(a: f64, b: f64) -> f64 {
    if a.is_infinite() || b.is_infinite() {
        return f64::INFINITY;
    }
    (a * a + b * b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_nans_are_ordered() {
        assert_eq!(super::f32::min(0.0, -0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!(super::f32::max(-0.0, 0.0).to_bits(), 0.0f32.to_bits());
        assert_eq!(
            (
                super::f32::min(f32::NAN, 1.0),
                super::f64::max(2.0, f64::NAN)
            ),
            (1.0, 2.0)
        );
    }

    #[test]
    fn hypot_survives_what_f32_squares_do_not() {
        assert_eq!(hypot_f32(3e30, 4e30), 5e30);
        assert_eq!(hypot_f32(f32::NAN, f32::INFINITY), f32::INFINITY);
    }
}
