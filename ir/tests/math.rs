//! The math functions against the C library's, by the bounds that docs/section-language.md states.
//!
//! The C library is itself within one unit in the last place, which each bound allows for.

use hotsled_ir::math::*;
use proptest::prelude::*;

/// Units in the last place between two numbers; none between NaNs.
fn units(a: f64, b: f64) -> u64 {
    if a.is_nan() && b.is_nan() {
        return 0;
    }
    let order = |v: f64| {
        let bits = v.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    order(a).abs_diff(order(b))
}

fn units32(a: f32, b: f32) -> u64 {
    if a.is_nan() && b.is_nan() {
        return 0;
    }
    let order = |v: f32| {
        let bits = v.to_bits() as i32;
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    u64::from(order(a).abs_diff(order(b)))
}

type Case = (&'static str, fn(f64) -> f64, fn(f64) -> f64, u64);

/// Function, the C library's, bound in whole units with one for the C library.
const ONE: &[Case] = &[
    ("exp", exp_f64, f64::exp, 2),
    ("exp2", exp2_f64, f64::exp2, 2),
    ("ln", ln_f64, f64::ln, 2),
    ("log2", log2_f64, f64::log2, 2),
    ("log10", log10_f64, f64::log10, 3),
    ("sin", sin_f64, f64::sin, 2),
    ("cos", cos_f64, f64::cos, 2),
    ("tan", tan_f64, f64::tan, 3),
    ("atan", atan_f64, f64::atan, 2),
    ("tanh", tanh_f64, f64::tanh, 4),
];

type Narrow = (&'static str, fn(f32) -> f32, fn(f64) -> f64);

const NARROW: &[Narrow] = &[
    ("exp", exp_f32, f64::exp),
    ("exp2", exp2_f32, f64::exp2),
    ("ln", ln_f32, f64::ln),
    ("log2", log2_f32, f64::log2),
    ("log10", log10_f32, f64::log10),
    ("sin", sin_f32, f64::sin),
    ("cos", cos_f32, f64::cos),
    ("tan", tan_f32, f64::tan),
    ("atan", atan_f32, f64::atan),
    ("tanh", tanh_f32, f64::tanh),
];

/// Any number, with many of ordinary size.
fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        -1000.0..1000.0,
        -4.0..4.0,
        (0u32..2_000_000).prop_map(|k| f64::from(k) * std::f64::consts::FRAC_PI_2),
        (-1e-9..1e-9).prop_map(|d| 1.0 + d),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn one_argument_is_within_its_bound(x in numbers()) {
        for (name, ours, theirs, bound) in ONE {
            let apart = units(ours(x), theirs(x));
            prop_assert!(apart <= *bound, "{name}({x:e}) = {:e}, not {:e}", ours(x), theirs(x));
        }
    }

    #[test]
    fn narrow_results_are_rounded_once(x in numbers()) {
        let x = x as f32;
        for (name, ours, theirs) in NARROW {
            let wanted = theirs(f64::from(x)) as f32;
            let apart = units32(ours(x), wanted);
            prop_assert!(apart <= 1, "{name}({x:e}) = {:e}, not {wanted:e}", ours(x));
        }
    }

    #[test]
    fn two_arguments_are_within_their_bounds(x in numbers(), y in numbers(), n in -30i32..30) {
        let apart = units(powf_f64(x, y), x.powf(y));
        prop_assert!(apart <= 2, "powf({x:e}, {y:e}) = {:e}, not {:e}", powf_f64(x, y), x.powf(y));
        let apart = units(atan2_f64(y, x), y.atan2(x));
        prop_assert!(apart <= 3, "atan2({y:e}, {x:e}) = {:e}, not {:e}", atan2_f64(y, x), y.atan2(x));
        let (a, b) = (x as f32, y as f32);
        let wanted = f64::from(a).powf(f64::from(b)) as f32;
        prop_assert!(units32(powf_f32(a, b), wanted) <= 1, "powf({a:e}, {b:e})");
        let wanted = f64::from(b).atan2(f64::from(a)) as f32;
        prop_assert!(units32(atan2_f32(b, a), wanted) <= 1, "atan2({b:e}, {a:e})");
        let wanted = f64::from(a).powi(n) as f32;
        prop_assert!(units32(powi_f32(a, n), wanted) <= 1, "powi({a:e}, {n})");
    }
}

/// Where the answer is exact, it is the C library's to the bit, the sign of zero included.
#[test]
fn special_values_are_exact() {
    let inf = f64::INFINITY;
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    for x in [0.0, -0.0, 1.0, inf, -inf, f64::NAN, -1e308] {
        for (name, ours, theirs, _) in ONE {
            let exact = matches!(theirs(x), v if v == 0.0 || v == 1.0 || !v.is_finite());
            assert!(!exact || same(ours(x), theirs(x)), "{name}({x})");
        }
    }
    let all = [
        0.0,
        0.5,
        1.0,
        2.0,
        3.0,
        2.5,
        1e300,
        9007199254740993.0,
        inf,
        f64::NAN,
    ];
    let all: Vec<f64> = all.iter().flat_map(|v| [*v, -*v]).collect();
    for &x in &all {
        for &y in &all {
            let (power, angle) = (x.powf(y), x.atan2(y));
            let exact = power == 0.0 || power == 1.0 || !power.is_finite();
            assert!(
                !exact || same(powf_f64(x, y), power),
                "powf({x}, {y}) = {}",
                powf_f64(x, y)
            );
            assert!(same(atan2_f64(x, y), angle) || units(atan2_f64(x, y), angle) <= 2);
            let negative = |v: f64| !v.is_nan() && v.is_sign_negative();
            assert_eq!(
                negative(angle),
                negative(atan2_f64(x, y)),
                "atan2({x}, {y})"
            );
        }
    }
}

/// Powers of the base come out whole.
#[test]
fn whole_logarithms_are_whole() {
    for k in -1074..1024 {
        let x = 2f64.powi(k / 2) * 2f64.powi(k - k / 2);
        assert_eq!(log2_f64(x), f64::from(k));
        assert_eq!(exp2_f64(f64::from(k)), x);
    }
    for k in 0..23 {
        assert_eq!(log10_f64(10f64.powi(k)), f64::from(k));
    }
}
