//! An input several times as long as staging reaches the device whole.

use std::time::{Duration, Instant};

use hotsled::{Engine, Offload, PlugOptions, parallel};

/// Chunks reach all of `x`.
#[hotsled::section]
fn picked(x: &[u32], out: &mut [u32]) {
    for i in parallel(0..out.len()) {
        out[i] = x[(i * 7919 + 3) % x.len()];
    }
}

#[test]
fn an_input_longer_than_staging_reaches_the_device() {
    let engine = Engine::builder()
        .offload(Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    engine.plug(PlugOptions::default()).unwrap();
    let x: Vec<u32> = (0..20_000_003u32)
        .map(|i| i.wrapping_mul(0x9e37_79b9))
        .collect();
    let mut out = vec![0; 400_000];
    let by_device = || {
        let sections = engine.status().sections;
        let section = sections.into_iter().find(|s| s.path.ends_with("picked"));
        section.expect("it is registered").counts.elements_device
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while by_device() < out.len() as u64 {
        assert!(Instant::now() < deadline, "{}", engine.status());
        out.fill(0);
        picked(&x, &mut out);
        let right = |(i, v): (usize, &u32)| *v == x[(i * 7919 + 3) % x.len()];
        assert!(out.iter().enumerate().all(right));
    }
}
