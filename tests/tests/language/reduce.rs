//! Reductions: one shape for plain code, sections on the CPU, and devices.

use hotsled::__private::tree;
use hotsled::parallel;

use crate::agree::{ToArg, leaves};

const LENGTHS: [usize; 7] = [0, 1, 9, 1023, 1024, 1025, 70_001];

#[hotsled::section]
fn dot(x: &[f32], y: &[f32]) -> f32 {
    parallel(0..x.len()).map(|i| x[i] * y[i]).sum()
}

fn plain_dot(x: &[f32], y: &[f32]) -> f32 {
    parallel(0..x.len()).map(|i| x[i] * y[i]).sum()
}

fn wave(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (i as f32 * 0.37).sin() * (1 << (i % 20)) as f32)
        .collect()
}

#[test]
fn sums_have_one_shape() {
    for n in LENGTHS {
        let (x, y) = (wave(n), wave(n + 7));
        let sum = dot(&x, &y);
        assert_eq!(sum.to_bits(), plain_dot(&x, &y).to_bits(), "length {n}");
        let bytes = leaves("dot", vec![x.arg(), y.arg()], n.div_ceil(1024));
        let all: Vec<f32> = bytes
            .chunks(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        assert_eq!(
            sum.to_bits(),
            tree(&all, 0.0, |a, b| a + b).to_bits(),
            "length {n}"
        );
    }
}

#[hotsled::section]
fn largest(low: usize, x: &[f64]) -> f64 {
    let scale = 2.0;
    parallel(low..x.len())
        .map(|i| {
            let v = x[i] * scale;
            if v > 1e6 { 0.0 } else { v }
        })
        .max()
}

#[hotsled::section]
fn smallest(x: &[i64]) -> i64 {
    parallel(0..x.len()).map(|i| x[i]).min()
}

#[hotsled::section]
fn product(x: &[i64]) -> u32 {
    parallel(0..x.len()).map(|i| x[i] as u32 | 1).product()
}

#[hotsled::section]
fn gcd(x: &[i64]) -> u64 {
    parallel(0..x.len())
        .map(|i| x[i].unsigned_abs())
        .fold(0, |a, b| {
            let mut p = a;
            let mut q = b;
            while q != 0 {
                (p, q) = (q, p % q);
            }
            p
        })
}

#[test]
fn other_ways_to_combine() {
    for n in LENGTHS {
        let x: Vec<f64> = (0..n)
            .map(|i| ((i * 7919) % 10007) as f64 - 5000.0)
            .collect();
        let most = x
            .iter()
            .skip(3)
            .map(|v| v * 2.0)
            .fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(largest(3, &x), most, "length {n}");
        let k: Vec<i64> = (0..n as i64).map(|i| (i * 7919 % 1009 - 500) * 6).collect();
        assert_eq!(smallest(&k), k.iter().copied().min().unwrap_or(i64::MAX));
        let wanted = k.iter().fold(1u32, |a, b| a.wrapping_mul(*b as u32 | 1));
        assert_eq!(product(&k), wanted);
        let whole = gcd(&k);
        assert!(k.iter().all(|v| whole == 0 || v % whole as i64 == 0));
        let words = |bytes: Vec<u8>| -> Vec<u64> {
            bytes
                .chunks(8)
                .map(|b| u64::from_le_bytes(b.try_into().unwrap()))
                .collect()
        };
        let count = n.div_ceil(1024);
        let mins = words(leaves("smallest", vec![k.arg()], count));
        assert_eq!(
            tree(&mins, i64::MAX as u64, |a, b| (a as i64).min(b as i64)
                as u64) as i64,
            smallest(&k)
        );
        leaves("gcd", vec![k.arg()], count);
        leaves("product", vec![k.arg()], count);
        if n > 3 {
            leaves(
                "largest",
                vec![3usize.arg(), x.arg()],
                (n - 3).div_ceil(1024),
            );
        }
    }
}

#[hotsled::section]
fn beyond(n: usize, x: &[f32]) -> f32 {
    parallel(0..n).map(|i| x[i]).sum()
}

#[test]
fn the_lowest_index_panics() {
    let x = wave(5000);
    let caught = std::panic::catch_unwind(|| beyond(9000, &x)).unwrap_err();
    let text = caught.downcast_ref::<String>().unwrap();
    assert_eq!(
        text,
        "index out of bounds: the len is 5000 but the index is 5000"
    );
}
