//! Invariant 15: with no device bound the engine's threads sleep, however much sections are called.

use std::time::{Duration, Instant};

use hotsled::{Engine, PlugOptions};
use hotsled_tests::{is_right, numbers, stirred};

/// Context switches of each thread whose name starts with `hotsled-` but is no worker.
fn switches() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|l| l.starts_with(name)).unwrap();
            line.split('\t').nth(1).unwrap().to_owned()
        };
        let name = field("Name:");
        if name.starts_with("hotsled-") && !name.starts_with("hotsled-cpu") {
            let counts =
                field("voluntary_ctxt_switches:") + "+" + &field("nonvoluntary_ctxt_switches:");
            found.push((name, counts));
        }
    }
    found.sort();
    found
}

#[test]
fn an_idle_engine_sleeps_while_sections_run() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .control_socket(folder.path().join("control"))
        .device_socket(folder.path().join("devices"))
        .start()
        .unwrap();
    let x = numbers(60_000);
    let wanted = stirred(30, &x);
    // A device that came and went leaves nothing awake.
    let name = engine.plug(PlugOptions::default()).unwrap();
    assert!(is_right(&x, &wanted));
    engine.unplug(Some(&name)).unwrap();
    std::thread::sleep(Duration::from_millis(200)); // threads that were about to sleep do so
    let before = switches();
    assert!(
        before.iter().any(|(name, _)| name == "hotsled-engine"),
        "{before:?}"
    );
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        assert!(is_right(&x, &wanted));
    }
    assert_eq!(switches(), before, "a thread of the engine ran");
}
