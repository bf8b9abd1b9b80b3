//! A Vulkan device (Mesa's lavapipe in CI) comes, goes, is killed and is lost: the same results throughout.

use std::time::{Duration, Instant};

use hotsled::{DeviceKind, Engine, EventKind, PlugOptions};
use hotsled_tests::{numbers, saxpy, stir, stirred};

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "waited 60 s for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn calls_device(engine: &Engine) -> u64 {
    let sections = engine.status().sections;
    let stir = sections.into_iter().find(|s| s.path.ends_with("stir"));
    stir.expect("the section is registered").counts.calls_device
}

/// A plug with the validation layer watching.
fn vulkan(arguments: &[&str]) -> PlugOptions {
    let all = ["--validate", "--no-cache"].iter().chain(arguments);
    PlugOptions {
        kind: DeviceKind::Vulkan,
        arguments: all.map(|a| a.to_string()).collect(),
        ..PlugOptions::default()
    }
}

#[test]
fn a_service_gains_loses_and_is_robbed_of_a_vulkan_device() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .handshake_deadline(Duration::from_secs(30))
        .chunk_deadline(Duration::from_secs(30))
        .verify(3)
        .start()
        .unwrap();
    let x = numbers(60_000);
    let wanted = stirred(30, &x);
    let work = || {
        let mut out = vec![0; x.len()];
        stir(30, &x, &mut out);
        assert!(out == wanted, "a wrong result");
    };
    let until_on_device = || {
        let before = calls_device(&engine);
        wait_for("calls on the device", || {
            work();
            calls_device(&engine) > before + 2
        });
    };

    assert_eq!(engine.plug(vulkan(&[])).unwrap(), "vulkan0");
    until_on_device();
    let status = engine.status();
    assert!(!status.devices[0].simulated);
    assert_eq!(status.devices[0].state, "bound");

    engine.unplug(Some("vulkan0")).unwrap();
    let before = calls_device(&engine);
    (0..5).for_each(|_| work());
    assert_eq!(calls_device(&engine), before, "the CPU has it back");

    engine.plug(vulkan(&["--plain"])).unwrap();
    until_on_device();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..20).for_each(|_| work()));
        std::thread::sleep(Duration::from_millis(30));
        engine.kill("vulkan0").unwrap();
    });
    wait_for("the loss to be seen", || engine.status().totals.losses == 1);
    work();

    for (n, fault) in [
        "lost-at-launch:3",
        "lost-at-copy-in:3",
        "lost-at-copy-out:3",
    ]
    .iter()
    .enumerate()
    {
        engine.plug(vulkan(&["--fault", fault])).unwrap();
        wait_for(fault, || {
            work();
            engine.status().totals.losses == n as u64 + 2
        });
        let losses = || {
            engine
                .events(0)
                .iter()
                .filter(|e| e.kind == EventKind::Lost)
                .count()
        };
        wait_for("its event", || losses() == n + 2);
        assert!(engine.status().devices.is_empty());
    }

    let mut y = vec![1.0; 1000];
    saxpy(2.0, &vec![3.0; 1000], &mut y);
    assert!(y.iter().all(|v| *v == 7.0));
}
