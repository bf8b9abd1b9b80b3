//! Structs: as parameters, and made by `let`.

use hotsled::parallel;

use crate::agree;
use crate::agree::ToArg;

#[hotsled::device_data]
#[derive(Clone, Copy)]
struct Lens {
    gain: f32,
    shift: i32,
    near: bool,
    unused: f64,
}

#[hotsled::device_data]
struct Limits(u32, f64);

#[hotsled::section]
fn by_value_and_by_reference(lens: Lens, limits: &Limits, x: &[f32], y: &mut [f32], n: &mut [i32]) {
    let twice = lens.gain * 2.0;
    for i in parallel(0..y.len()) {
        let sign = if lens.near { -twice } else { lens.gain };
        let more: f64 = limits.1;
        let most: u32 = limits.0;
        y[i] = x[i] * sign + more as f32;
        n[i] = lens.shift + most as i32;
    }
}

#[test]
fn fields_of_parameters_enter_as_scalars() {
    let x: Vec<f32> = (0..33).map(|i| i as f32 * 0.3).collect();
    for near in [false, true] {
        let (gain, shift, unused) = (1.5f32, -7i32, f64::NAN);
        let lens = Lens {
            gain,
            shift,
            near,
            unused,
        };
        let limits = Limits(9, 0.25);
        let (mut y, mut n) = (vec![0.0f32; 33], vec![0i32; 33]);
        let fields = |y: &Vec<f32>, n: &Vec<i32>| {
            let near = hotsled_ir::interp::Arg::Scalar(hotsled_ir::Value::Bool(near));
            let hidden = [
                gain.arg(),
                near,
                limits.1.arg(),
                limits.0.arg(),
                shift.arg(),
            ];
            [x.arg(), y.arg(), n.arg()]
                .into_iter()
                .chain(hidden)
                .collect()
        };
        let before = fields(&y, &n);
        by_value_and_by_reference(lens, &limits, &x, &mut y, &mut n);
        let after = fields(&y, &n);
        agree::check("by_value_and_by_reference", before, after, 0..33, false);
        assert_eq!(y[1], x[1] * if near { -3.0 } else { 1.5 } + 0.25);
        assert_eq!((n[32], lens.unused.is_nan()), (2, true));
    }
}

#[hotsled::device_data]
struct Point {
    x: f32,
    y: f32,
    hits: u32,
}

#[hotsled::section]
fn made_here(turns: u32, a: &[f32], out: &mut [f32], count: &mut [u32]) {
    for i in parallel(0..out.len()) {
        let mut at = Point {
            y: a[i],
            x: 2.0f32,
            hits: 0u32,
        };
        for _ in 0..turns {
            let next = if at.x > at.y {
                Point {
                    x: at.y,
                    y: at.x,
                    hits: at.hits + 1,
                }
            } else {
                let half = at.y * 0.5;
                Point {
                    x: half,
                    y: at.x,
                    hits: at.hits,
                }
            };
            at = next;
            let (up, more) = match at.hits {
                0 => (0.5f32, 1),
                1 | 2 if at.x > 0.0 => {
                    let half = at.x * 0.5;
                    (half, 2)
                }
                _ => (1.0, 3),
            };
            at.y += up;
            at.hits += more / 3;
        }
        let copy: Point = at;
        out[i] = copy.x + 10.0 * copy.y;
        count[i] = copy.hits;
    }
}

#[test]
fn structs_are_their_fields() {
    let a: Vec<f32> = (0..20).map(|i| i as f32 - 8.0).collect();
    for turns in [0u32, 1, 5] {
        let (mut out, mut count) = (vec![0.0f32; 20], vec![0u32; 20]);
        agree!(made_here(turns; a; out, count));
        assert_eq!(turns == 0, out[3] == 2.0 + 10.0 * a[3]);
    }
}

#[hotsled::section]
fn taken_apart(a: &[f32], out: &mut [f32], count: &mut [u32]) {
    for i in parallel(0..out.len()) {
        let point = Point {
            x: a[i],
            y: 2.0f32,
            hits: i as u32,
        };
        let Point {
            y: height, mut x, ..
        } = point;
        x += height;
        let turned = point.hits % 2 == 1;
        let Point {
            x: left,
            y: _,
            hits,
        } = if turned {
            Point {
                x: point.y,
                y: x,
                hits: point.hits * 10,
            }
        } else {
            point
        };
        let (_, more) = (1u32, 2.0f32);
        out[i] = x + 100.0 * left + more;
        count[i] = hits;
    }
}

#[test]
fn patterns_take_structs_apart() {
    let a: Vec<f32> = (0..20).map(|i| i as f32 - 8.0).collect();
    let (mut out, mut count) = (vec![0.0f32; 20], vec![0u32; 20]);
    agree!(taken_apart(; a; out, count));
    assert_eq!((out[2], count[2]), (-6.0 + 2.0 - 600.0 + 2.0, 2));
    assert_eq!((out[3], count[3]), (-5.0 + 2.0 + 200.0 + 2.0, 30));
}

#[hotsled::section]
fn reduced(lens: &Lens, x: &[f32]) -> f32 {
    parallel(0..x.len()).map(|i| x[i] * lens.gain).sum()
}

#[test]
fn reductions_take_them_too() {
    let lens = Lens {
        gain: 3.0,
        shift: 0,
        near: false,
        unused: 0.0,
    };
    assert_eq!(reduced(&lens, &[1.0, 2.0, 4.0]), 21.0);
}
