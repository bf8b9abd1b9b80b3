//! Accumulators and reductions through devices that come, work and are killed: each addition counts once.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hotsled::{Engine, PlugOptions, parallel};

const BUCKETS: usize = 97;

#[hotsled::section]
fn gather(rounds: u32, x: &[u32], counts: &[AtomicU32], sum: &[AtomicU64], y: &mut [u32]) {
    for i in parallel(0..y.len()) {
        let mut v = x[i];
        for _ in 0..rounds {
            v = v * 1664525 + 1013904223;
        }
        counts[v as usize % counts.len()].fetch_add(1, Relaxed);
        sum[0].fetch_add(v as u64, Relaxed);
        y[i] = v;
    }
}

#[hotsled::section]
fn waves(x: &[f32]) -> f32 {
    parallel(0..x.len())
        .map(|i| (x[i] * 1.7).sin() + x[i])
        .sum()
}

fn plain_waves(x: &[f32]) -> f32 {
    let sin = |v: f32| hotsled::__private::math::sin_f32(v);
    parallel(0..x.len()).map(|i| sin(x[i] * 1.7) + x[i]).sum()
}

/// One call, checked: its counts are those of its results, whoever computed them.
fn check(x: &[u32]) {
    let counts: Vec<AtomicU32> = (0..BUCKETS).map(|_| AtomicU32::new(5)).collect();
    let sum = [AtomicU64::new(0)];
    let mut y = vec![0; x.len()];
    gather(40, x, &counts, &sum, &mut y);
    let mut wanted = vec![5u32; BUCKETS];
    y.iter().for_each(|v| wanted[*v as usize % BUCKETS] += 1);
    let got: Vec<u32> = counts.into_iter().map(AtomicU32::into_inner).collect();
    assert_eq!(got, wanted);
    assert_eq!(
        sum[0].load(Relaxed),
        y.iter().map(|v| u64::from(*v)).sum::<u64>()
    );
}

fn device_calls(engine: &Engine, name: &str) -> u64 {
    let sections = engine.status().sections;
    let found = sections.into_iter().find(|s| s.path.ends_with(name));
    found
        .expect("the section is registered")
        .counts
        .calls_device
}

#[test]
fn additions_count_once_while_devices_come_and_die() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let x: Vec<u32> = (0..80_000u32).map(|i| i.wrapping_mul(2654435761)).collect();
    let floats: Vec<f32> = (0..9_000_000).map(|i| (i % 1000) as f32 * 0.01).collect();
    let wanted = plain_waves(&floats).to_bits();
    check(&x);
    assert_eq!(waves(&floats).to_bits(), wanted);
    for turn in 0..3 {
        let name = engine.plug(PlugOptions::default()).unwrap();
        let before = (
            device_calls(&engine, "gather"),
            device_calls(&engine, "waves"),
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        while device_calls(&engine, "gather") == before.0
            || device_calls(&engine, "waves") == before.1
        {
            assert!(Instant::now() < deadline, "no call came to the device");
            check(&x);
            assert_eq!(waves(&floats).to_bits(), wanted);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| (0..10).for_each(|_| check(&x)));
            scope.spawn(|| assert_eq!(waves(&floats).to_bits(), wanted));
            if turn != 1 {
                engine.kill(&name).unwrap();
            }
        });
        if turn == 1 {
            engine.unplug(Some(&name)).unwrap();
        }
        let gone = Instant::now() + Duration::from_secs(20);
        while !engine.status().devices.is_empty() {
            assert!(Instant::now() < gone, "the device stays");
            std::thread::yield_now();
        }
        check(&x);
    }
}
