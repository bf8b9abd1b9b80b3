//! Values that are not in the language: each names itself and what to write instead.

use hotsled::parallel;

pub struct Point {
    x: f32,
}

#[hotsled::section]
pub fn values(x: &[f32], small: &[u8], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let g = |v: f32| v + 1.0;
        let p = Point { x: 1.0 };
        let q = p.x;
        let r = &x[i];
        let s = "text";
        let t = x[i].sinh();
        let u = x[i].checked_add(1.0);
        let v = small[i] + 1;
        let w = [1.0, 2.0][i];
        let z = vec![1.0];
        let e = f32::sqrt(x[i]);
        let h = unknown + 1.0;
        let k = (1.0, 2.0).0;
        let l = if x[i] > 0.0 { 1.0 };
        y[i] = x.first().unwrap();
    }
}

#[hotsled::section]
pub fn types(n: u32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = x[i] * n;
        let k: i32 = n;
        let m: i32 = 3_000_000_000;
        let c: char = n;
        let b = x[i] as bool;
        let o = !x[i];
        let s = x[i] << 2;
        y[i] = 1;
    }
}

fn main() {}
