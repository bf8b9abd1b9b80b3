//! What sections ask of exactness: `exact` ones stay off a device that accepts inexact operations, and `fast` ones
//! are not held against the CPU bit by bit.

use std::time::{Duration, Instant};

use hotsled::{DeviceKind, Engine, Offload, PlugOptions, SectionStatus, parallel};

#[hotsled::section(exact)]
fn demanding(x: &[f32], out: &mut [f32]) {
    for i in parallel(0..out.len()) {
        out[i] = x[i] * 0.5 + 1.0;
    }
}

#[hotsled::section(fast)]
fn decays(x: &[f32], out: &mut [f32]) {
    for i in parallel(0..out.len()) {
        let mut v = x[i];
        for _ in 0..50 {
            v = (-v).exp() + v.sin().powf(2.0);
        }
        out[i] = v;
    }
}

fn section(engine: &Engine, name: &str) -> SectionStatus {
    let mut sections = engine.status().sections.into_iter();
    let found = sections.find(|s| s.path.ends_with(name));
    found.expect("it is registered")
}

fn until_on_device(engine: &Engine, name: &str, mut call: impl FnMut()) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while section(engine, name).counts.calls_device < 3 {
        call();
        assert!(Instant::now() < deadline, "{:?}", section(engine, name));
    }
}

#[test]
fn exact_and_fast_sections_are_kept_apart() {
    let engine = Engine::builder()
        .offload(Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .handshake_deadline(Duration::from_secs(30))
        .chunk_deadline(Duration::from_secs(30))
        .verify(1)
        .start()
        .unwrap();
    let x: Vec<f32> = (0..60_000).map(|i| i as f32 * 1e-4).collect();
    let mut out = vec![0.0; x.len()];

    // Math functions on the CPU are std's, on the device the language's own: they differ, and that is no mismatch.
    engine.plug(PlugOptions::default()).unwrap();
    until_on_device(&engine, "decays", || decays(&x, &mut out));
    let counts = section(&engine, "decays").counts;
    assert_eq!((counts.chunks_verified, counts.chunks_replayed), (0, 0));
    until_on_device(&engine, "demanding", || demanding(&x, &mut out));
    assert!(section(&engine, "demanding").counts.chunks_verified > 0);
    engine.unplug(Some("sim0")).unwrap();

    let bounded = PlugOptions {
        kind: DeviceKind::Vulkan,
        arguments: ["--bounded", "--no-cache"].map(String::from).to_vec(),
        ..PlugOptions::default()
    };
    engine.plug(bounded).unwrap();
    let refused = &engine.status().devices[0].refused_sections;
    let why = refused.iter().find(|(path, _)| path.ends_with("demanding"));
    let (_, why) = why.expect("it is refused");
    assert!(why.contains("demands exact operations"), "{why}");
    assert!(!refused.iter().any(|(path, _)| path.ends_with("decays")));
    demanding(&x, &mut out);
    assert_eq!(out[10], x[10] * 0.5 + 1.0);
}
