//! Calls that take longer with a device than without stay on the CPU, and status says why.

use hotsled::{Engine, PlugOptions, SectionStatus, parallel};

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

fn section(engine: &Engine) -> SectionStatus {
    let mut sections = engine.status().sections.into_iter();
    let section = sections.find(|s| s.path.ends_with("slow_to_send"));
    section.expect("it is registered")
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
    let slow = ["--bandwidth-gbps", "0.01"].map(String::from).to_vec();
    let options = PlugOptions {
        arguments: slow,
        ..PlugOptions::default()
    };
    engine.plug(options).unwrap();
    // 8 MB at 10 MB a second: 800 ms beside a few. A call may end before its device had a chunk ready.
    let mut calls = 0;
    while section(&engine).counts.calls_device == 0 {
        slow_to_send(&x, &mut out);
        calls += 1;
        assert!(calls < 1000, "{:?}", section(&engine));
    }
    (0..10).for_each(|_| slow_to_send(&x, &mut out));
    let section = section(&engine);
    assert_eq!(section.counts.calls_device, 1, "{section:?}");
    assert!(
        section.why.contains("longer with the device"),
        "{section:?}"
    );
}
