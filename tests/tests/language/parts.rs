//! Arrays, tuples, constants, helpers.

use hotsled::parallel;

use crate::agree;
use crate::agree::ToArg;

#[hotsled::section]
fn arrays(rounds: usize, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let taps = [0.25, 0.5, 0.25f32];
        let mut window = [0.0; 4];
        let mut seen = [false; 2];
        for k in 0..taps.len() {
            window[k] = x[(i + k) % x.len()] * taps[k];
        }
        for r in 0..rounds {
            window[(r + i) % 4] += window[r % 3];
            seen[r % 2] = true;
        }
        y[i] = window[0] + window[1] - window[2] * window[3] + seen[1] as u32 as f32;
    }
}

#[test]
fn local_arrays() {
    let x: Vec<f32> = (0..20).map(|i| i as f32 * 0.7 - 3.0).collect();
    for rounds in [0usize, 1, 9] {
        let mut y = vec![0.0f32; 33];
        agree!(arrays(rounds; x; y));
    }
}

#[hotsled::section]
fn named_lengths(x: &[i32], y: &mut [i32]) {
    for i in parallel(0..y.len()) {
        const TAPS: usize = 5;
        let mut sums: [i32; TAPS] = [0; TAPS];
        for k in 0..TAPS {
            sums[k] += x[(i + k) % x.len()] * k as i32;
        }
        y[i] = sums[TAPS - 1] - sums[1] + sums.len() as i32;
    }
}

#[test]
fn lengths_may_be_constants_of_the_function() {
    let x: Vec<i32> = (0..20).map(|i| i * 3 - 7).collect();
    let mut y = vec![0i32; 33];
    agree!(named_lengths(; x; y));
}

const TAPS: usize = 5;
mod sizes {
    pub const HALF: usize = 3;
    pub const NARROW: u32 = 2;
}

#[hotsled::section]
fn lengths_from_outside(k: usize, x: &[i32], y: &mut [i32]) {
    let weights = [3i32; TAPS];
    for i in parallel(0..y.len()) {
        const WIDE: usize = 2 * TAPS;
        let mut sums: [i32; TAPS] = [0; TAPS];
        let mut wide = [1i32; WIDE + 1];
        let narrow = [7i32; sizes::NARROW as usize * 2];
        let three: [i32; sizes::HALF] = [1, 2, 3];
        for n in 0..TAPS {
            sums[n] += x[(i + n) % x.len()] * weights[n];
            wide[WIDE - n] = three[n % three.len()];
        }
        y[i] = sums[(i + k) % 8] + narrow.len() as i32 * 100 + wide[WIDE - 1] + narrow[3];
    }
}

#[test]
fn lengths_may_be_constants_that_the_macro_cannot_see() {
    let x: Vec<i32> = (0..20).map(|i| i * 3 - 7).collect();
    for k in [0usize, 2, usize::MAX] {
        let mut y = vec![0i32; 3];
        let hidden = [TAPS, 2 * sizes::NARROW as usize];
        agree!(lengths_from_outside(k; x; y), hidden, (0, 3));
    }
    let mut y = vec![0i32; 3];
    lengths_from_outside(2, &x, &mut y);
    assert_eq!(y[0], -3 + 400 + 2 + 7);
}

mod taps {
    pub const COUNT: usize = 6;
    const GAIN: f32 = 0.75;
    const SHIFT: i16 = -2;
    const SMOOTH: bool = true;
    const FAR: f64 = -1.5e300;

    /// Constants of each width, as values and as lengths.
    #[hotsled::device_fn]
    pub fn filtered(x: f32, at: usize) -> f32 {
        const EDGE: usize = COUNT / 2 + 1;
        let mut near = [GAIN; COUNT];
        let mut far: [f64; EDGE] = [FAR; COUNT - 2];
        for k in 0..COUNT {
            near[k] += x * k as f32;
        }
        far[at % EDGE] = 0.5;
        let shift: i16 = SHIFT;
        let end: f64 = far[far.len() - 1];
        let smooth = if SMOOTH { 0.25 } else { 8.0 };
        near[at] * smooth + shift as f32 + end.max(-4.0) as f32 + near.len() as f32
    }

    /// Calls a helper whose lengths are constants, and has some of its own.
    #[hotsled::device_fn]
    pub fn twice(x: f32) -> f32 {
        let kept = [x; COUNT];
        let once: f32 = filtered(kept[COUNT - 1], 1usize);
        let again: f32 = filtered(once, 2usize);
        again
    }
}

#[hotsled::section]
fn helpers_with_lengths(k: usize, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let own = [0.5f32; taps::COUNT];
        y[i] = taps::filtered(x[i], k) + taps::twice(x[i]) * own[i % 6];
    }
}

#[test]
fn helpers_see_constants() {
    let x: Vec<f32> = (0..20).map(|i| i as f32 * 0.3 - 2.0).collect();
    for k in [0usize, 3, 5, 6] {
        let mut y = vec![0.0f32; 20];
        agree!(helpers_with_lengths(k; x; y));
    }
    assert_eq!(taps::filtered(1.0, 0), 0.75 * 0.25 - 2.0 - 4.0 + 6.0);
    assert_eq!(taps::filtered(1.0, 3), 3.75 * 0.25 - 2.0 + 0.5 + 6.0);
}

mod pairs {
    #[hotsled::device_fn]
    pub fn turned(by: f32, (x, y): (f32, f32), keep: (bool, i32, f64)) -> f32 {
        let (far, near) = if keep.0 { (x, y) } else { (y, x) };
        let mut copy = keep;
        copy.1 += 3;
        far * by - near + copy.1 as f32 + copy.2 as f32
    }

    /// Hands a tuple on.
    #[hotsled::device_fn]
    pub fn summed(at: (f32, f32)) -> f32 {
        let other: f32 = turned(0.5f32, at, (at.0 > at.1, 2i32, 0.25f64));
        other + at.0
    }
}

#[hotsled::section]
fn tuple_arguments(x: &[f32], y: &mut [f32], n: &mut [i32]) {
    for i in parallel(0..y.len()) {
        let at = (x[i], x[(i + 1) % x.len()]);
        let mut steps = 0i32;
        let up = at.0 > 0.0;
        // Left to right: the first argument changes what the tuple then reads.
        let turned: f32 = pairs::turned(
            {
                steps += 1;
                2.0f32
            },
            if up { (at.1, at.0) } else { at },
            (up, steps, steps as f64),
        );
        y[i] = turned + pairs::summed(at) * pairs::summed((1.0f32, at.0));
        n[i] = steps;
    }
}

#[test]
fn helpers_take_tuples() {
    let x: Vec<f32> = (0..40).map(|i| i as f32 * 0.7 - 13.0).collect();
    let (mut y, mut n) = (vec![0.0f32; 40], vec![0i32; 40]);
    agree!(tuple_arguments(; x; y, n));
    assert_eq!(n, vec![1; 40]);
    assert_eq!(pairs::summed((3.0, 1.0)), 1.5 - 1.0 + 5.0 + 0.25 + 3.0);
}

#[hotsled::section]
fn beyond_array(k: usize, y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let a = [1.0f32, 2.0];
        y[i] = a[i + k];
    }
}

#[test]
fn an_index_beyond_an_array_panics() {
    for k in [0usize, 1, usize::MAX - 1] {
        let mut y = vec![0.0f32; 2];
        agree!(beyond_array(k; ; y));
    }
}

#[hotsled::section]
fn tuples(x: &[i32], y: &mut [i32], z: &mut [f64]) {
    for i in parallel(0..y.len()) {
        let (mut a, b) = if x[i] > 3 { (x[i], 1.5) } else { (-x[i], 2.5) };
        let mut t = (a, b * 2.0, true);
        t.0 += 5;
        let u: (i32, f64, bool) = t;
        let (p, q) = (1, 1);
        let mut pair = (p, q);
        for _ in 0..a.min(20).max(0) {
            (pair.0, pair.1) = (pair.1, pair.0 + pair.1);
        }
        a += u.0;
        y[i] = a + pair.0;
        z[i] = if u.2 { t.1 } else { b };
    }
}

#[test]
fn tuples_are_their_parts() {
    let x: Vec<i32> = (-10..30).collect();
    let (mut y, mut z) = (vec![0i32; 40], vec![0.0f64; 40]);
    agree!(tuples(; x; y, z));
}

const SCALE: f32 = 1.25;
mod limits {
    pub const MOST: i32 = 17;
}

#[hotsled::section]
fn constants(x: &[f32], y: &mut [f32], n: &mut [i32]) {
    const OWN: f32 = 0.5;
    let twice = SCALE * 2.0;
    for i in parallel(0..y.len()) {
        let pi = std::f32::consts::PI;
        y[i] = x[i] * SCALE + twice + OWN - pi;
        n[i] = (i as i32).min(limits::MOST) + i32::MIN / 2 + f32::INFINITY as i32;
    }
}

#[test]
fn constants_enter_as_scalars() {
    let x = vec![1.5f32; 30];
    let (mut y, mut n) = (vec![0.0f32; 30], vec![0i32; 30]);
    agree!(constants(; x; y, n), [SCALE, limits::MOST]);
    assert_eq!(n[29] - n[16], 1);
}

#[hotsled::section]
fn late_constants(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = x[i] * SCALE;
        if x[i] > 5.0 {
            y[i] += SCALE;
            const SCALE: f32 = 100.0;
        }
        const SCALE: f32 = 3.0;
    }
}

/// As in Rust, a block's own constant is seen by all of the block, before one of the module.
#[test]
fn constants_are_seen_by_what_stands_above_them() {
    let x: Vec<f32> = (0..10).map(|i| i as f32).collect();
    let mut y = vec![0.0f32; 10];
    agree!(late_constants(; x; y));
    assert_eq!((y[1], y[9]), (3.0, 127.0));
}

#[hotsled::section]
fn generic<const N: usize, const UP: bool>(x: &[u32], y: &mut [u32]) {
    let half = N / 2;
    for i in parallel(0..y.len()) {
        let mut sum = half as u32;
        for k in 0..N {
            sum += x[(i + k) % x.len()];
        }
        y[i] = if UP { sum } else { 0 - sum };
    }
}

#[test]
fn const_generics_are_one_section() {
    let x: Vec<u32> = (0..10).collect();
    let (mut a, mut b) = (vec![0u32; 10], vec![0u32; 10]);
    generic::<3, true>(&x, &mut a);
    generic::<5, false>(&x, &mut b);
    assert_eq!(a[0], 1 + 3);
    assert_eq!(b[0], (2 + 10u32).wrapping_neg());
}

mod helpers {
    /// `x * x`.
    #[hotsled::device_fn]
    pub fn square(x: f32) -> f32 {
        x * x
    }

    #[hotsled::device_fn]
    pub fn length(x: f32, y: f32) -> f32 {
        let sum: f32 = square(x) + square(y);
        sum.sqrt()
    }

    #[hotsled::device_fn]
    pub fn collatz(n: u32) -> u32 {
        let mut left = n;
        let mut steps = 0;
        while left > 1 {
            left = if left % 2 == 0 {
                left / 2
            } else {
                3 * left + 1
            };
            steps += 1;
        }
        steps
    }
}

use helpers::length;

#[hotsled::section]
fn with_helpers(x: &[f32], y: &mut [f32], n: &mut [u32]) {
    for i in parallel(0..y.len()) {
        y[i] = length(x[i], 2.0f32) + helpers::square(x[i]);
        n[i] = helpers::collatz(i as u32) + helpers::collatz(7u32);
    }
}

#[test]
fn helpers_are_called() {
    let x: Vec<f32> = (0..50).map(|i| i as f32 * 0.3).collect();
    let (mut y, mut n) = (vec![0.0f32; 50], vec![0u32; 50]);
    agree!(with_helpers(; x; y, n));
    assert_eq!(n[1], helpers::collatz(7));
}
