//! Plug, work, unplug, plug, kill: the same results throughout, and status says where they came from.

use std::time::Duration;

use hotsled::{Engine, EventKind, PlugOptions};
use hotsled_tests::{is_right, numbers, saxpy, stirred, until};

fn section(engine: &Engine, name: &str) -> hotsled::SectionStatus {
    let sections = engine.status().sections;
    sections
        .into_iter()
        .find(|s| s.path.ends_with(name))
        .expect("the section is registered")
}

#[test]
fn a_service_gains_loses_and_is_robbed_of_an_accelerator() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let x = numbers(60_000);
    let wanted = stirred(30, &x);
    let work = || assert!(is_right(&x, &wanted), "a wrong result");
    work();
    assert_eq!(section(&engine, "stir").place, "cpu");
    assert_eq!(section(&engine, "stir").why, "no device is bound");

    let name = engine.plug(PlugOptions::default()).unwrap();
    assert_eq!(name, "sim0");
    until("a call on the device", || {
        work();
        section(&engine, "stir").counts.calls_device > 2
    });
    let plugged = engine.status();
    assert_eq!(plugged.devices[0].state, "bound");
    assert!(plugged.devices[0].simulated);
    assert_eq!(plugged.events[0].kind, EventKind::Plug);
    assert_eq!(plugged.events[0].sites_patched, 2);
    assert!(plugged.events[0].first_device_result_ms.is_some());
    assert_eq!(section(&engine, "stir").place, "device");

    engine.unplug(Some("sim0")).unwrap();
    let before = section(&engine, "stir").counts.calls_device;
    (0..5).for_each(|_| work());
    assert_eq!(
        section(&engine, "stir").counts.calls_device,
        before,
        "the CPU has it back"
    );
    assert_eq!(engine.events(1)[0].kind, EventKind::Unplug);
    assert_eq!(engine.events(1)[0].sites_patched, 2);

    engine.plug(PlugOptions::default()).unwrap();
    until("the device again", || {
        work();
        section(&engine, "stir").counts.calls_device > before
    });
    std::thread::scope(|scope| {
        scope.spawn(|| (0..20).for_each(|_| work()));
        std::thread::sleep(Duration::from_millis(30));
        engine.kill("sim0").unwrap();
    });
    until("the loss to be seen", || engine.status().totals.losses == 1);
    assert!(engine.status().devices.is_empty());
    work();

    let mut y = vec![1.0; 1000];
    saxpy(2.0, &vec![3.0; 1000], &mut y);
    assert!(y.iter().all(|v| *v == 7.0));
}
