//! Math functions: the same source on the CPU and, lowered, on devices.

use hotsled::parallel;

use crate::agree;
use crate::agree::ToArg;

macro_rules! functions {
    ($name:ident, $test:ident, $ty:ident) => {
        #[hotsled::section]
        fn $name(x: &[$ty], b: &[$ty], which: &[u8], y: &mut [$ty]) {
            for i in parallel(0..y.len()) {
                let v = x[i];
                y[i] = match which[i] {
                    0 => v.exp(),
                    1 => v.exp2(),
                    2 => v.ln(),
                    3 => v.log2(),
                    4 => v.log10(),
                    5 => v.sin(),
                    6 => v.cos(),
                    7 => v.tan(),
                    8 => v.atan(),
                    9 => v.tanh(),
                    10 => v.atan2(b[i]),
                    11 => v.powf(b[i]),
                    12 => v.hypot(b[i]),
                    _ => v.powi(b[i] as i32 % 40),
                };
            }
        }

        #[test]
        fn $test() {
            let some: Vec<$ty> = vec![
                0.0, 1e-300f64 as $ty, 1e-45, 1e-9, 0.3, 0.5, 0.7, 0.99999, 1.0, 1.00001, 1.3, 2.0, 2.5, 7.0,
                22.5, 88.0, 88.8, 700.5, 709.75, 746.0, 1e6, 1e7, 1e22, 1e38, 1e300f64 as $ty, $ty::MAX,
                $ty::INFINITY, $ty::NAN,
            ];
            let all: Vec<$ty> = some.iter().flat_map(|v| [*v, -*v]).collect();
            let (mut x, mut b, mut which) = (vec![], vec![], vec![]);
            for w in 0..14u8 {
                for (n, v) in all.iter().enumerate() {
                    for m in 0..4 {
                        x.push(*v);
                        b.push(all[(n * 7 + m * 13) % all.len()]);
                        which.push(w);
                    }
                }
            }
            let mut y = vec![0.0; x.len()];
            agree!($name(; x, b, which; y));
        }
    };
}
functions!(functions_f32, f32_functions, f32);
functions!(functions_f64, f64_functions, f64);

#[hotsled::section(fast)]
fn fast(x: &[f64], y: &mut [f64], z: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = x[i].exp() + x[i].tanh();
        z[i] = (x[i] as f32).sin();
    }
}

#[test]
fn fast_functions_are_stds_on_the_cpu() {
    let x: Vec<f64> = (0..300).map(|i| f64::from(i) * 0.07 - 9.0).collect();
    let (mut y, mut z) = (vec![0.0; 300], vec![0.0; 300]);
    fast(&x, &mut y, &mut z);
    for ((x, y), z) in x.iter().zip(&y).zip(&z) {
        assert_eq!(*y, x.exp() + x.tanh());
        assert_eq!(*z, (*x as f32).sin());
    }
}
