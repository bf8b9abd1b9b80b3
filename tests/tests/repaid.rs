//! Calls that take longer with a device than without stay on the CPU, and status says why.

use hotsled::{Engine, PlugOptions, parallel};

/// Chunks reach all of `x`, which a slow link takes long to bring; `x` is worked on for a while.
#[hotsled::section]
fn slow_to_send(x: &[u32], out: &mut [u32]) {
    for i in parallel(0..out.len()) {
        let mut v = x[(i * 31 + 1) % x.len()];
        for _ in 0..40 {
            v = v.wrapping_mul(0x9e37_79b9) ^ (v >> 15);
        }
        out[i] = v;
    }
}

#[test]
fn a_device_that_makes_calls_slower_is_left_alone() {
    let engine = Engine::builder()
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let x = vec![5; 2_000_000];
    let mut out = vec![0; 200_000];
    (0..5).for_each(|_| slow_to_send(&x, &mut out)); // measures the CPU
    let slow = ["--bandwidth-gbps", "0.02"].map(String::from).to_vec();
    let options = PlugOptions {
        arguments: slow,
        ..PlugOptions::default()
    };
    engine.plug(options).unwrap();
    // 8 MB at 20 MB a second: 400 ms beside a few.
    (0..15).for_each(|_| slow_to_send(&x, &mut out));
    let sections = engine.status().sections;
    let section = sections.iter().find(|s| s.path.ends_with("slow_to_send"));
    let section = section.expect("it is registered");
    assert_eq!(section.counts.calls_device, 1, "{section:?}");
    assert!(
        section.why.contains("longer with the device"),
        "{section:?}"
    );
}
