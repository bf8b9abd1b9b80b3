//! Math functions, in the section language: scalars, `if` as a value, no early return, and every
//! operation rounded by itself. `mod.rs` says why; docs/section-language.md has the error bounds.
//!
//! The `f64` functions are the cores. The `f32` ones compute in `f64` and round once, which leaves
//! little more than half a unit in the last place.

/// `x` to the power `n`, by squaring; a negative `n` takes the reciprocal last.
pub fn powi_f64(x: f64, n: i32) -> f64 {
    let mut value = 1.0;
    let mut base = x;
    let mut left = n.unsigned_abs();
    while left != 0 {
        if left & 1 == 1 {
            value = value * base;
        }
        base = base * base;
        left = left >> 1;
    }
    if n < 0 { 1.0 / value } else { value }
}

/// 2 to a power that a normal number has.
pub fn power_of_two(k: i32) -> f64 {
    f64::from_bits(((k + 1023) as u64) << 52)
}

/// `(1 + tail) * e^r` times 2 to the power `k`, for `|r|` up to half the logarithm of 2. The power goes
/// in two steps, so that results below the normal numbers are rounded once.
pub fn exp_reduced(r: f64, tail: f64, k: i32) -> f64 {
    let high = 2.480152129595438e-5
        + r * (2.755726845999706e-6 + r * (2.762008844540975e-7 + r * 2.510038549551032e-8));
    let low = 0.041666666666624126
        + r * (0.008333333333330062
            + r * (0.0013888888917213717 + r * (0.00019841269863053618 + r * high)));
    let sum = 0.5000000000000001 + r * (0.16666666666666669 + r * low);
    let value = 1.0 + (r + (r * r * sum + tail));
    let half = k / 2;
    value * power_of_two(half) * power_of_two(k - half)
}

/// `e` to the power `x`.
pub fn exp_f64(x: f64) -> f64 {
    if x > 709.79 {
        f64::INFINITY
    } else if x < -745.2 {
        0.0
    } else {
        let k = (x * 1.4426950408889634).round();
        let high = x - k * 0.6931471805592082;
        let low = k * 7.371002565167799e-13;
        let r = high - low;
        exp_reduced(r, (high - r) - low, k as i32)
    }
}

/// 2 to the power `x`.
pub fn exp2_f64(x: f64) -> f64 {
    if x > 1024.1 {
        f64::INFINITY
    } else if x < -1075.1 {
        0.0
    } else {
        let k = x.round();
        let part = x - k;
        let r = part * 0.6931471805599453;
        let tail = product_error(part, 0.6931471805599453, r) + part * 2.3190468138462996e-17;
        exp_reduced(r, tail, k as i32)
    }
}

/// The upper 26 bits of a number's significand.
pub fn upper_half(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_f800_0000)
}

/// What rounding `a * b` to `product` left out.
pub fn product_error(a: f64, b: f64, product: f64) -> f64 {
    let (ah, bh) = (upper_half(a), upper_half(b));
    let (al, bl) = (a - ah, b - bh);
    ((ah * bh - product) + ah * bl + al * bh) + al * bl
}

/// The exponent `e` of a positive, finite `x` = `m` times 2 to the power `e`, with `m` from the square
/// root of 1/2 to that of 2.
pub fn log_exponent(x: f64) -> i32 {
    let small = x < f64::MIN_POSITIVE;
    let normal = if small { x * 18014398509481984.0 } else { x };
    let above = normal.to_bits().wrapping_sub(0x3fe6_a09e_667f_3bcd) as i64;
    (above >> 52) as i32 - if small { 54 } else { 0 }
}

/// That `m`.
pub fn log_significand(x: f64) -> f64 {
    let small = x < f64::MIN_POSITIVE;
    let normal = if small { x * 18014398509481984.0 } else { x };
    let above = normal.to_bits().wrapping_sub(0x3fe6_a09e_667f_3bcd) as i64;
    f64::from_bits(normal.to_bits().wrapping_sub(((above >> 52) << 52) as u64))
}

/// `ln(1 + f) - f + f * f / 2` for `1 + f` from the square root of 1/2 to that of 2.
pub fn log_rest(f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let high = 0.2222221112572281
        + z * (0.18182889786191042 + z * (0.15331699633543858 + z * 0.14616721179861816));
    let sum =
        z * (0.666666666666667 + z * (0.3999999999989938 + z * (0.28571428626031065 + z * high)));
    s * (0.5 * f * f + sum)
}

/// What a logarithm is where there is none to compute.
pub fn log_special(x: f64) -> f64 {
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x > 0.0 {
        x
    } else {
        f64::NAN
    }
}

/// Natural logarithm.
pub fn ln_f64(x: f64) -> f64 {
    if x > 0.0 && x < f64::INFINITY {
        let e = log_exponent(x) as f64;
        let f = log_significand(x) - 1.0;
        let rest = log_rest(f) + e * 7.371002565167799e-13;
        e * 0.6931471805592082 - ((0.5 * f * f - rest) - f)
    } else {
        log_special(x)
    }
}

/// Logarithm to base 2. The factor and the logarithm are split, so that the large product is exact.
pub fn log2_f64(x: f64) -> f64 {
    if x > 0.0 && x < f64::INFINITY {
        let e = log_exponent(x) as f64;
        let f = log_significand(x) - 1.0;
        let square = 0.5 * f * f;
        let high = f64::from_bits((f - square).to_bits() & 0xffff_ffff_0000_0000);
        let low = (f - high) - square + log_rest(f);
        let product = high * 1.4426946640014648;
        let rest = (low + high) * 3.768874985636099e-7 + low * 1.4426946640014648;
        let sum = e + product;
        sum + (((e - sum) + product) + rest)
    } else {
        log_special(x)
    }
}

/// Logarithm to base 10, as base 2.
pub fn log10_f64(x: f64) -> f64 {
    if x > 0.0 && x < f64::INFINITY {
        let e = log_exponent(x) as f64;
        let f = log_significand(x) - 1.0;
        let square = 0.5 * f * f;
        let high = f64::from_bits((f - square).to_bits() & 0xffff_ffff_0000_0000);
        let low = (f - high) - square + log_rest(f);
        let product = high * 0.4342944622039795;
        let rest = (low + high) * 1.9699272335463627e-8 + low * 0.4342944622039795;
        let whole = e * 0.30102999566361177;
        let sum = whole + product;
        sum + (((whole - sum) + product) + (rest + e * 3.694239077158931e-13))
    } else {
        log_special(x)
    }
}

/// The upper 64 bits of a product.
pub fn high_product(a: u64, b: u64) -> u64 {
    let (ah, al, bh, bl) = (a >> 32, a & 0xffff_ffff, b >> 32, b & 0xffff_ffff);
    let middle = ah * bl + ((al * bl) >> 32);
    let other = al * bh + (middle & 0xffff_ffff);
    ah * bh + (middle >> 32) + (other >> 32)
}

/// Sine of `r + tail`, `|r|` up to a quarter of pi.
pub fn sin_reduced(r: f64, tail: f64) -> f64 {
    let z = r * r;
    let sum = 0.008333333333330946
        + z * (-0.0001984126983675497
            + z * (2.755731610068303e-6
                + z * (-2.5051131455427946e-8 + z * 1.591810123027412e-10)));
    let cube = z * r;
    r + (cube * (-0.16666666666666666 + z * sum) + tail * (1.0 - 0.5 * z))
}

/// Cosine of `r + tail`, `|r|` up to a quarter of pi.
pub fn cos_reduced(r: f64, tail: f64) -> f64 {
    let z = r * r;
    let sum = 2.4801587298763433e-5
        + z * (-2.7557317270560326e-7 + z * (2.0876146024689747e-9 - z * 1.1382614868556325e-11));
    let rest = 0.041666666666666664 + z * (-0.0013888888888887395 + z * sum);
    let half = 0.5 * z;
    let one = 1.0 - half;
    one + (((1.0 - one) - half) + (z * z * rest - r * tail))
}

/// Sine of `r + tail` plus `turns` quarter turns.
pub fn sin_turned(r: f64, tail: f64, turns: i64) -> f64 {
    match turns & 3 {
        0 => sin_reduced(r, tail),
        1 => cos_reduced(r, tail),
        2 => -sin_reduced(r, tail),
        _ => -cos_reduced(r, tail),
    }
}

/// Sine of `x` plus `turns` quarter turns, for `|x|` up to 2^20 quarter turns. The quarter turn is taken
/// off in parts of 33 bits, whose products are exact.
pub fn sin_near(x: f64, turns: i64) -> f64 {
    let q = (x * 0.6366197723675814).round();
    let a = x - q * 1.5707963267341256;
    let b = q * 6.077100506303966e-11;
    let c = q * 2.0222662487111665e-21;
    let first = a - b;
    let second = first - c;
    let lost = ((a - first) - b) + ((first - second) - c) - q * 8.4784276603689e-32;
    let r = second + lost;
    sin_turned(r, (second - r) + lost, q as i64 + turns)
}

/// Sine of `x` plus `turns` quarter turns, for large finite `x`: the bits of 2/pi that matter for this
/// exponent, times the significand, give the quarter turn and 126 bits of the rest.
pub fn sin_far(x: f64, turns: i64) -> f64 {
    let table = [
        0,
        0xa2f9_836e_4e44_1529,
        0xfc27_57d1_f534_ddc0,
        0xdb62_9599_3c43_9041,
        0xfe51_63ab_debb_c561,
        0xb724_6e3a_424d_d2e0,
        0x0649_2eea_09d1_921c,
        0xfe1d_eb1c_b129_a73e,
        0xe882_35f5_2ebb_4484,
        0xe99c_7026_b45f_7e41,
        0x3991_d639_8353_39f4,
        0x9c84_5f8b_bdf9_283b,
        0x1ff8_97ff_de05_980f,
        0xef2f_118b_5a0a_6d1f,
        0x6d36_7ecf_27cb_09b7,
        0x4f46_3f66_9e5f_ea2d,
        0x7527_bac7_ebe5_f17b,
        0x3d07_39f7_8a52_92ea,
        0x6bfb_5fb1_1f8d_5d08,
        0x5603_3046_fc7b_6bab_u64,
    ];
    let bits = x.to_bits();
    let significand = bits & 0xf_ffff_ffff_ffff | 0x10_0000_0000_0000;
    let start = (bits >> 52 & 0x7ff) - 1013;
    let (word, shift) = ((start >> 6) as usize, (start & 63) as u32);
    let mut part = [0u64; 3];
    for k in 0..3 {
        part[k] = table[word + k] << shift;
        if shift != 0 {
            part[k] = part[k] | table[word + k + 1] >> (64 - shift);
        }
    }
    let low = significand.wrapping_mul(part[2]);
    let middle_low = significand.wrapping_mul(part[1]);
    let middle = middle_low.wrapping_add(high_product(significand, part[2]));
    let carry = high_product(significand, part[1]) + (middle < middle_low) as u64;
    let high = significand.wrapping_mul(part[0]).wrapping_add(carry);
    let mut turned = (high >> 62) as i64;
    let mut above = high << 2 | middle >> 62;
    let mut below = middle << 2 | low >> 62;
    let down = above >> 63 == 1;
    if down {
        turned += 1;
        above = !above;
        below = !below;
    }
    let first = (above & 0xffff_ffff_ffff_f800) as f64 * 5.421010862427522e-20;
    let second =
        (above & 0x7ff) as f64 * 5.421010862427522e-20 + below as f64 * 2.938735877055719e-39;
    let fraction = first + second;
    let lost = (first - fraction) + second;
    let product = fraction * 1.5707963267948966;
    let rest = product_error(fraction, 1.5707963267948966, product)
        + fraction * 6.123233995736766e-17
        + lost * 1.5707963267948966;
    let r = product + rest;
    let tail = (product - r) + rest;
    let negative = x < 0.0;
    let flip = down != negative;
    let turned = if negative {
        turns - turned
    } else {
        turns + turned
    };
    if flip {
        sin_turned(-r, -tail, turned)
    } else {
        sin_turned(r, tail, turned)
    }
}

/// Sine of `x` plus `turns` quarter turns.
pub fn sin_plus(x: f64, turns: i64) -> f64 {
    let size = x.abs();
    if size < 0.7853981633974483 {
        sin_turned(x, 0.0, turns)
    } else if size < 1647099.0 {
        sin_near(x, turns)
    } else if size < f64::INFINITY {
        sin_far(x, turns)
    } else {
        f64::NAN
    }
}

/// Sine.
pub fn sin_f64(x: f64) -> f64 {
    if x == 0.0 { x } else { sin_plus(x, 0) }
}

/// Cosine.
pub fn cos_f64(x: f64) -> f64 {
    sin_plus(x, 1)
}

/// Tangent.
pub fn tan_f64(x: f64) -> f64 {
    sin_f64(x) / cos_f64(x)
}

/// Inverse tangent: that of a fixed point nearby, and of the rest.
pub fn atan_f64(x: f64) -> f64 {
    let a = x.abs();
    let (high, low, t) = if a < 0.4375 {
        (0.0, 0.0, a)
    } else if a < 0.6875 {
        (
            0.4636476090008061,
            2.2698777452961687e-17,
            (2.0 * a - 1.0) / (2.0 + a),
        )
    } else if a < 1.1875 {
        (
            0.7853981633974483,
            3.061616997868383e-17,
            (a - 1.0) / (a + 1.0),
        )
    } else if a < 2.4375 {
        (
            0.982793723247329,
            1.3903311031230998e-17,
            (a - 1.5) / (1.0 + 1.5 * a),
        )
    } else {
        (1.5707963267948966, 6.123233995736766e-17, -1.0 / a)
    };
    let z = t * t;
    let end = 0.05847713503311183
        + z * (-0.050338901748429754 + z * (0.037823856862431886 - z * 0.017545740588500107));
    let middle =
        -0.09090900190075156 + z * (0.07692087234595789 + z * (-0.06663237858076355 + z * end));
    let sum = -0.33333333333333326
        + z * (0.19999999999987758
            + z * (-0.14285714283146547 + z * (0.11111110900409805 + z * middle)));
    let value = high + (t + (t * z * sum + low));
    value.copysign(x)
}

/// Angle of the point `(x, y)`, from minus pi to pi.
pub fn atan2_f64(y: f64, x: f64) -> f64 {
    let value = if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if y == 0.0 {
        if x.is_sign_negative() {
            3.141592653589793
        } else {
            0.0
        }
    } else if x.is_infinite() && y.is_infinite() {
        if x < 0.0 {
            2.356194490192345
        } else {
            0.7853981633974483
        }
    } else {
        let angle = atan_f64((y / x).abs());
        if x < 0.0 {
            3.141592653589793 - (angle - 1.2246467991473532e-16)
        } else {
            angle
        }
    };
    value.copysign(y)
}

/// Hyperbolic tangent.
pub fn tanh_f64(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 0.55 {
        let z = a * a;
        let end = -0.00023838728841244365
            + z * (9.433420430982972e-5 + z * (-3.34096750845956e-5 + z * 7.682149145096749e-6));
        let middle = -0.008863235442972801
            + z * (0.0035921264450435885
                + z * (-0.0014558158462893048 + z * (0.0005898844744906634 + z * end)));
        let sum = -0.3333333333333333
            + z * (0.13333333333333303
                + z * (-0.053968253968206974 + z * (0.021869488533346106 + z * middle)));
        a + a * z * sum
    } else if a > 22.0 {
        1.0
    } else {
        1.0 - 2.0 / (exp_f64(2.0 * a) + 1.0)
    };
    value.copysign(x)
}

/// `a` to the power `y`, for positive, finite `a` and finite `y`: the logarithm with about 100 bits, times
/// `y`, to the exponential function.
pub fn pow_positive(a: f64, y: f64) -> f64 {
    let e = log_exponent(a) as f64;
    let m = log_significand(a);
    let f = m - 1.0;
    let d = m + 1.0;
    let d_low = m - (d - 1.0);
    let s = f / d;
    let sd = s * d;
    let s_low = ((f - sd) - product_error(s, d, sd) - s * d_low) / d;
    let z = s * s;
    let z_low = product_error(s, s, z) + 2.0 * s * s_low;
    let c = s * z;
    let c_low = product_error(s, z, c) + s * z_low + s_low * z;
    let q = c * 0.6666666666666666;
    let q_low = product_error(c, 0.6666666666666666, q)
        + c * 3.700743415417188e-17
        + c_low * 0.6666666666666666;
    let sum = 0.22222222271127243
        + z * (0.18181808243480016
            + z * (0.1538557509255743 + z * (0.1328594759441496 + z * 0.12913739291129622)));
    let rest = c * z * (0.40000000000000024 + z * (0.28571428571338453 + z * sum));
    let log = 2.0 * s + q;
    let log_low = ((2.0 * s - log) + q) + (2.0 * s_low + q_low + rest);
    let whole = e * 0.6931471805592082;
    let high = whole + log;
    let part = high - whole;
    let low = ((whole - (high - part)) + (log - part)) + (log_low + e * 7.371002565167799e-13);
    let l = high + low;
    let l_low = (high - l) + low;
    let p = y * l;
    if p > 709.8 {
        f64::INFINITY
    } else if p < -745.2 {
        0.0
    } else {
        let p_low = product_error(y, l, p) + y * l_low;
        let k = (p * 1.4426950408889634).round();
        let first = p - k * 0.6931471805592082;
        let second = p_low - k * 7.371002565167799e-13;
        let r = first + second;
        exp_reduced(r, (first - r) + second, k as i32)
    }
}

/// Whether `y` is an odd integer.
pub fn is_odd(y: f64) -> bool {
    let a = y.abs();
    a < 9007199254740992.0 && a.trunc() == a && (a as u64) & 1 == 1
}

/// What a power of a negative `x`, or of a zero or an infinity of either sign, makes of its size.
pub fn pow_signed(x: f64, y: f64, size: f64) -> f64 {
    if x < 0.0 && x > f64::NEG_INFINITY && y.trunc() != y {
        f64::NAN
    } else if x.is_sign_negative() && is_odd(y) {
        -size
    } else {
        size
    }
}

/// `x` to the power `y`.
pub fn powf_f64(x: f64, y: f64) -> f64 {
    let a = x.abs();
    if y == 0.0 || x == 1.0 {
        1.0
    } else if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if a == 1.0 && y.is_infinite() {
        1.0
    } else if a == 0.0 || a.is_infinite() || y.is_infinite() {
        let large = (a > 1.0) == (y > 0.0);
        pow_signed(x, y, if large { f64::INFINITY } else { 0.0 })
    } else {
        pow_signed(x, y, pow_positive(a, y))
    }
}

/// `x` to the power `n`, computed in `f64` and rounded once.
pub fn powi_f32(x: f32, n: i32) -> f32 {
    powi_f64(x as f64, n) as f32
}

/// `e` to the power `x`.
pub fn exp_f32(x: f32) -> f32 {
    exp_f64(x as f64) as f32
}

/// 2 to the power `x`.
pub fn exp2_f32(x: f32) -> f32 {
    exp2_f64(x as f64) as f32
}

/// Natural logarithm.
pub fn ln_f32(x: f32) -> f32 {
    ln_f64(x as f64) as f32
}

/// Logarithm to base 2.
pub fn log2_f32(x: f32) -> f32 {
    log2_f64(x as f64) as f32
}

/// Logarithm to base 10.
pub fn log10_f32(x: f32) -> f32 {
    log10_f64(x as f64) as f32
}

/// Sine.
pub fn sin_f32(x: f32) -> f32 {
    sin_f64(x as f64) as f32
}

/// Cosine.
pub fn cos_f32(x: f32) -> f32 {
    cos_f64(x as f64) as f32
}

/// Tangent.
pub fn tan_f32(x: f32) -> f32 {
    tan_f64(x as f64) as f32
}

/// Inverse tangent.
pub fn atan_f32(x: f32) -> f32 {
    atan_f64(x as f64) as f32
}

/// Angle of the point `(x, y)`, from minus pi to pi.
pub fn atan2_f32(y: f32, x: f32) -> f32 {
    atan2_f64(y as f64, x as f64) as f32
}

/// Hyperbolic tangent.
pub fn tanh_f32(x: f32) -> f32 {
    tanh_f64(x as f64) as f32
}

/// `x` to the power `y`.
pub fn powf_f32(x: f32, y: f32) -> f32 {
    powf_f64(x as f64, y as f64) as f32
}
