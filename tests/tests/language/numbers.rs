//! Types, operators, methods, conversions.

use hotsled::parallel;

use crate::agree;
use crate::agree::ToArg;

/// Integers that hurt, as bits.
fn hard_bits() -> Vec<u64> {
    let near = |v: u64| [v.wrapping_sub(1), v, v.wrapping_add(1)];
    let powers = [
        0u64,
        1 << 7,
        1 << 8,
        1 << 15,
        1 << 16,
        1 << 31,
        1 << 32,
        1 << 63,
    ];
    let mut all: Vec<u64> = powers.into_iter().flat_map(near).collect();
    all.extend([3, 10, 0xdead_beef_1234_5678, !9, 0xffff_ffff_8000_0001]);
    all
}

fn hard_floats() -> Vec<f64> {
    let mut all = vec![
        0.0,
        0.5,
        0.49999999999999994,
        1.0,
        1.5,
        2.5,
        127.5,
        255.6,
        3e9,
        1e19,
        1e-40,
        5e-324,
        1e300,
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
        8388609.0,
        123456.789,
        0.1,
    ];
    all.extend(all.clone().iter().map(|v| -v));
    all
}

fn pairs<T: Copy>(values: &[T]) -> (Vec<T>, Vec<T>) {
    let all = values
        .iter()
        .flat_map(|a| values.iter().map(move |b| (*a, *b)));
    all.unzip()
}

macro_rules! checked {
    ($name:ident, $test:ident, $ty:ident) => {
        #[hotsled::section]
        fn $name(a: &[$ty], b: &[$ty], y: &mut [$ty], n: &mut [u32]) {
            for i in parallel(0..y.len()) {
                let (p, q) = (a[i], b[i]);
                let mut s = p.checked_add(q).unwrap_or(77).rotate_left(1);
                if let Some(v) = p.checked_sub(q) {
                    s ^= v.rotate_left(3);
                } else {
                    s ^= 5;
                }
                s ^= match p.checked_mul(q) {
                    Some(v) => v.rotate_left(5),
                    None => q,
                };
                s ^= match p.checked_div(q) {
                    None => 3,
                    Some(v) => v.rotate_left(7),
                };
                s ^= p.checked_rem(q).unwrap_or_default().rotate_left(11);
                let mut all = 0u32;
                if p.checked_add(q).is_some() {
                    all |= 1;
                }
                if p.checked_sub(q).is_none() {
                    all |= 2;
                }
                if let None = p.checked_mul(q) {
                    all |= 4;
                } else if let Some(_) = p.checked_rem(q) {
                    all |= 8;
                }
                // Each operand is evaluated once, in order, also in one another.
                all += (p.checked_add(1).unwrap_or(9).checked_add(q).unwrap_or(8) == q) as u32 * 16;
                y[i] = s;
                n[i] = all;
            }
        }

        #[test]
        fn $test() {
            let values: Vec<$ty> = hard_bits().iter().map(|bits| *bits as $ty).collect();
            let (a, b) = pairs(&values);
            let (mut y, mut n) = (vec![0; a.len()], vec![0u32; a.len()]);
            agree!($name(; a, b; y, n));
        }
    };
}
checked!(checked_i32, checked_operations_of_i32, i32);
checked!(checked_u32, checked_operations_of_u32, u32);
checked!(checked_i64, checked_operations_of_i64, i64);
checked!(checked_u64, checked_operations_of_u64, u64);

macro_rules! integer_methods {
    ($name:ident, $test:ident, $ty:ident, $unsigned:ident) => {
        #[hotsled::section]
        fn $name(a: &[$ty], b: &[$ty], y: &mut [$ty], u: &mut [$unsigned], n: &mut [u32]) {
            for i in parallel(0..y.len()) {
                let (p, q) = (a[i], b[i]);
                let mut s = p.wrapping_add(q) ^ p.wrapping_sub(q) ^ p.wrapping_mul(q);
                s ^= p.saturating_add(q).rotate_left(3);
                s ^= p.saturating_sub(q).rotate_left(5);
                s ^= p.saturating_mul(q).rotate_right(7);
                s ^= p.wrapping_neg() ^ p.pow(q as u32 % 70) ^ p.min(q).max(3);
                s ^= p.rotate_left(q as u32);
                if q != 0 && q.wrapping_add(1) != 0 {
                    s ^= p.rem_euclid(q).rotate_left(11);
                    s ^= p.div_euclid(q).rotate_left(13);
                }
                y[i] = s;
                u[i] = p.abs_diff(q);
                n[i] = p.leading_zeros()
                    + p.trailing_zeros() * 100
                    + p.count_ones() * 10000
                    + p.count_zeros() * 1000000
                    + p.leading_ones() * 7
                    + p.trailing_ones() * 13;
            }
        }

        #[test]
        fn $test() {
            let hard: Vec<$ty> = hard_bits().into_iter().map(|v| v as $ty).collect();
            let (a, b) = pairs(&hard);
            let (mut y, mut u, mut n) = (vec![0; a.len()], vec![0; a.len()], vec![0u32; a.len()]);
            agree!($name(; a, b; y, u, n));
        }
    };
}
integer_methods!(methods_i32, i32_methods, i32, u32);
integer_methods!(methods_u32, u32_methods, u32, u32);
integer_methods!(methods_i64, i64_methods, i64, u64);
integer_methods!(methods_u64, u64_methods, u64, u64);

#[hotsled::section]
fn signed_only(a: &[i64], y: &mut [i64]) {
    for i in parallel(0..y.len()) {
        let narrow = a[i] as i32;
        y[i] =
            a[i].signum() * 3 + a[i].abs() + narrow.signum() as i64 + narrow.unsigned_abs() as i64;
    }
}

#[hotsled::section]
fn unsigned_only(a: &[u64], b: &[u64], y: &mut [u64]) {
    for i in parallel(0..y.len()) {
        y[i] = a[i].div_ceil(b[i] | 1) + a[i].is_power_of_two() as u64;
    }
}

#[test]
fn methods_of_signed_and_unsigned() {
    let a: Vec<i64> = hard_bits().into_iter().map(|v| v as i64).collect();
    let mut y = vec![0i64; a.len()];
    agree!(signed_only(; a; y));
    let (a, b) = pairs(&hard_bits());
    let mut y = vec![0u64; a.len()];
    agree!(unsigned_only(; a, b; y));
}

#[hotsled::section]
fn euclid(a: &[i32], b: &[i32], y: &mut [i32]) {
    for i in parallel(0..y.len()) {
        y[i] = a[i].rem_euclid(b[i]);
    }
}

#[test]
fn division_panics() {
    for (a, b) in [(1, 0), (i32::MIN, -1)] {
        let (a, b, mut y) = (vec![5, a], vec![3, b], vec![0i32; 2]);
        agree!(euclid(; a, b; y));
    }
}

macro_rules! float_methods {
    ($name:ident, $test:ident, $ty:ident, $bits:ident) => {
        #[hotsled::section]
        fn $name(a: &[$ty], b: &[$ty], y: &mut [$ty], z: &mut [$ty], n: &mut [$bits]) {
            for i in parallel(0..y.len()) {
                let (p, q) = (a[i], b[i]);
                y[i] = match i % 8 {
                    0 => p.copysign(q),
                    1 => p.signum() + q.fract(),
                    2 => p.rem_euclid(q),
                    3 => p.recip() - q.round(),
                    4 => p.powi(3) + q.powi(-2),
                    5 => p.min(q) * p.max(q),
                    6 => p % q,
                    _ => $ty::from_bits(p.to_bits() ^ 1) + q.trunc() + $ty::EPSILON,
                };
                z[i] = p.mul_add(q, -p);
                n[i] = p.to_bits() & (1 << (q.is_nan() as u32 + 2 * p.is_finite() as u32));
                if p.is_infinite() || q.is_sign_negative() && !p.is_sign_positive() {
                    n[i] += 77;
                }
            }
        }

        #[test]
        fn $test() {
            let hard: Vec<$ty> = hard_floats().into_iter().map(|v| v as $ty).collect();
            for turn in 0..8 {
                let (mut a, mut b) = pairs(&hard);
                a.rotate_left(turn);
                b.rotate_left(turn);
                let (mut y, mut z, mut n) = (vec![0.0; a.len()], vec![0.0; a.len()], vec![0; a.len()]);
                agree!($name(; a, b; y, z, n));
            }
        }
    };
}
float_methods!(methods_f32, f32_methods, f32, u32);
float_methods!(methods_f64, f64_methods, f64, u64);

macro_rules! conversions {
    ($name:ident, $from:ident, $($var:ident $ty:ident),*) => {
        #[hotsled::section]
        #[allow(clippy::too_many_arguments, clippy::unnecessary_cast)]
        fn $name(x: &[$from], $($var: &mut [$ty]),*) {
            for i in parallel(0..x.len()) {
                $($var[i] = x[i] as $ty;)*
            }
        }
    };
}
conversions!(from_f64, f64, a u8, b i8, c u16, d i16, e u32, f i32, g u64, h i64, k f32);
conversions!(from_f32, f32, a u8, b i8, c u16, d i16, e u32, f i32, g u64, h i64, k f64);
conversions!(from_i64, i64, a u8, b i8, c u16, d i16, e u32, f i32, g u64, h f32, k f64);
conversions!(from_u64, u64, a u8, b i8, c u16, d i16, e u32, f i32, g i64, h f32, k f64);
conversions!(from_i16, i16, a u8, b i8, c u16, d i16, e u32, f i32, g i64, h f32, k u64);
conversions!(from_u16, u16, a u8, b i8, c u16, d i16, e u32, f i32, g i64, h f64, k u64);
conversions!(from_i8, i8, a u8, b i8, c u16, d i16, e u32, f i32, g i64, h f64, k u64);
conversions!(from_u8, u8, a u8, b i8, c u16, d i16, e u32, f i32, g i64, h f64, k u64);

macro_rules! convert {
    ($name:ident, $x:expr) => {{
        let x: Vec<_> = $x;
        let n = x.len();
        let (mut a, mut b, mut c, mut d, mut e) = (vec![9; n], vec![9; n], vec![9; n], vec![9; n], vec![9; n]);
        let (mut f, mut g, mut h, mut k) = (vec![9; n], vec![9; n], vec![Default::default(); n], vec![Default::default(); n]);
        agree!($name(; x; a, b, c, d, e, f, g, h, k));
    }};
}

#[test]
fn conversions_are_rusts() {
    let bits = hard_bits;
    convert!(from_f64, hard_floats());
    convert!(
        from_f32,
        hard_floats().into_iter().map(|v| v as f32).collect()
    );
    convert!(from_i64, bits().into_iter().map(|v| v as i64).collect());
    convert!(from_u64, bits());
    convert!(from_i16, bits().into_iter().map(|v| v as i16).collect());
    convert!(from_u16, bits().into_iter().map(|v| v as u16).collect());
    convert!(from_i8, bits().into_iter().map(|v| v as i8).collect());
    convert!(from_u8, bits().into_iter().map(|v| v as u8).collect());
}
