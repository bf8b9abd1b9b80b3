//! Scans beside the definition, on the CPU and on the simulated accelerator.

use hotsled::{Engine, Offload, PlugOptions};
use hotsled_scan::{BLOCK, Number, exclusive, inclusive};
use proptest::prelude::*;

/// The shape that the crate promises, written out plainly; each value itself is in its sum or not.
fn wanted<T: Copy>(values: &[T], own: bool, zero: T, plus: fn(T, T) -> T) -> Vec<T> {
    let scan = |values: &[T], before: T, own: bool| -> Vec<T> {
        let step = |sum: &mut T, v: &T| {
            let before = std::mem::replace(sum, plus(*sum, *v));
            Some(if own { *sum } else { before })
        };
        values.iter().scan(before, step).collect()
    };
    let blocks = values.chunks(BLOCK);
    let sum = |block: &[T]| block.iter().fold(zero, |sum, v| plus(sum, *v));
    let sums: Vec<T> = blocks.clone().map(sum).collect();
    let before = match sums.len() {
        0..=1024 => scan(&sums, zero, false),
        _ => wanted(&sums, false, zero, plus),
    };
    let block = |(block, before)| scan(block, before, own);
    blocks.zip(before).flat_map(block).collect()
}

fn numbers(n: usize) -> impl Iterator<Item = u64> {
    (0..n as u64).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23))
}

fn all_lengths() {
    for n in [0, 1, 31, 32, 33, 1000, 40_000, 70_001] {
        let bits: Vec<u64> = numbers(n).collect();
        check(&bits, 0, u64::wrapping_add);
        let of = |f: fn(u64) -> f32| bits.iter().map(|b| f(*b)).collect::<Vec<f32>>();
        check(&of(|b| (b >> 40) as f32 * 1e-3 - 4000.0), 0.0, |a, b| a + b);
        let signed: Vec<i32> = bits.iter().map(|b| *b as i32).collect();
        check(&signed, 0, i32::wrapping_add);
    }
}

fn check<T: Number + PartialEq + std::fmt::Debug>(values: &[T], zero: T, plus: fn(T, T) -> T) {
    let n = values.len();
    assert!(inclusive(values) == wanted(values, true, zero, plus), "{n}");
    assert!(
        exclusive(values) == wanted(values, false, zero, plus),
        "{n}"
    );
}

#[test]
fn cpu_and_device_give_the_same_bits() {
    let engine = Engine::builder()
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .offload(Offload::Always)
        .start()
        .unwrap();
    all_lengths();
    engine.plug(PlugOptions::default()).unwrap();
    let device = || {
        let sections = engine.status().sections;
        let scans = sections.iter().filter(|s| s.path.contains("hotsled_scan"));
        scans.map(|s| s.counts.chunks_device).sum::<u64>()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while device() < 20 {
        assert!(
            std::time::Instant::now() < deadline,
            "no chunk on the device"
        );
        all_lengths();
    }
}

proptest! {
    #[test]
    fn integers_are_plain_prefix_sums(values in proptest::collection::vec(any::<i64>(), 0..300)) {
        let next = |sum: &mut i64, v: &i64| {
            *sum = sum.wrapping_add(*v);
            Some(*sum)
        };
        let wanted: Vec<i64> = values.iter().scan(0, next).collect();
        prop_assert_eq!(inclusive(&values), wanted);
    }
}
