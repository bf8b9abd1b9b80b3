//! Accumulators: every operation, from any index.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize};

use hotsled::parallel;

use crate::agree;
use crate::agree::ToArg;

#[hotsled::section]
fn histogram(x: &[u8], counts: &[AtomicU32], most: &[AtomicI64], y: &mut [u32]) {
    for i in parallel(0..y.len()) {
        let v = x[i] as usize;
        counts[v % counts.len()].fetch_add(1, Relaxed);
        for k in 0..3 {
            most[(v + k) % 4].fetch_max(i as i64 - 20, Relaxed);
        }
        y[i] = v as u32;
    }
}

fn bytes() -> Vec<u8> {
    (0..1000u32).map(|i| (i * i / 7) as u8).collect()
}

#[test]
fn histograms() {
    let x = bytes();
    let counts: Vec<AtomicU32> = (0..10).map(AtomicU32::new).collect();
    let most: Vec<AtomicI64> = (0..4).map(|k| AtomicI64::new(k * 300)).collect();
    let mut y = vec![0u32; x.len()];
    agree!(histogram(; x, counts, most; y));
    let total: u32 = counts.iter().map(|c| c.load(Relaxed)).sum();
    assert_eq!(total, 45 + 1000);
}

#[hotsled::section]
fn all(
    x: &[u8],
    a: &[AtomicU64],
    b: &[AtomicU64],
    c: &[AtomicU64],
    d: &[AtomicU64],
    e: &[AtomicUsize],
    y: &mut [u32],
) {
    for i in parallel(0..y.len()) {
        let v = x[i] as u64 * 0x0101_0101_0101;
        a[i % 3].fetch_and(!v, Relaxed);
        b[i % 3].fetch_or(v, Relaxed);
        c[i % 3].fetch_xor(v, Relaxed);
        d[i % 3].fetch_min(v + 5, Relaxed);
        if x[i] as u32 > 9 {
            e[0].fetch_sub(i, Relaxed);
        }
        y[i] = 1;
    }
}

#[test]
fn every_operation() {
    let x = bytes();
    let atomics = || -> Vec<AtomicU64> {
        (0..3)
            .map(|k| AtomicU64::new(k << 50 | 0xffff_1234))
            .collect()
    };
    let (a, b, c, d) = (atomics(), atomics(), atomics(), atomics());
    let e = vec![AtomicUsize::new(7)];
    let mut y = vec![0u32; x.len()];
    agree!(all(; x, a, b, c, d, e; y));
}

#[hotsled::section]
fn beyond_counts(counts: &[AtomicU32], y: &mut [u32]) {
    for i in parallel(0..y.len()) {
        counts[i].fetch_add(1, Relaxed);
    }
}

#[test]
fn an_index_beyond_an_accumulator_panics() {
    let counts = vec![AtomicU32::new(0), AtomicU32::new(0)];
    let mut y = vec![0u32; 3];
    agree!(beyond_counts(; counts; y));
}
