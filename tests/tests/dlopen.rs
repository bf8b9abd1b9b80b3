//! A plugin comes and goes while a device is bound and threads call: its sections are patched to the
//! plan that holds, run on the device, and nothing of it is touched once it is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotsled::{Engine, EventKind, PlugOptions, SectionStatus};
use hotsled_tests::plugin::{self, Plugin};
use hotsled_tests::{numbers, stir, stirred};

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "waited 60 s for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// That of the object loaded last.
fn twist(engine: &Engine) -> Option<SectionStatus> {
    let sections = engine.status().sections;
    sections
        .into_iter()
        .rev()
        .find(|s| s.path.ends_with("::twist"))
}

fn word(site: &str) -> [u8; 8] {
    let address = usize::from_str_radix(site.trim_start_matches("0x"), 16).unwrap();
    // SAFETY: the sled of a loaded object; volatile, since a session may be changing it.
    unsafe { std::ptr::read_volatile(address as *const [u8; 8]) }
}

/// Ends the callers, also when the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Loads, is patched, runs on the device, unloads. Where it was mapped.
fn visit(engine: &Engine, path: &std::path::Path, x: &[u32], wanted: &[u32]) -> String {
    let loaded = Plugin::load(path);
    let seen = twist(engine).expect("registered while it was loaded");
    wait_for("the plan to reach the plugin", || {
        word(&seen.site)[0] == 0xe9
    });
    wait_for("a call of the plugin on the device", || {
        assert!(loaded.twist(30, x) == wanted, "a wrong result");
        twist(engine).unwrap().counts.calls_device > 0
    });
    let object = engine.status().objects;
    let object = object
        .into_iter()
        .find(|o| o.path.ends_with("p.so"))
        .unwrap();
    assert_eq!((object.sections, object.fault), (2, None));
    drop(loaded);
    assert!(!plugin::is_mapped(path), "the plugin is unmapped");
    let listed = engine.status().objects;
    assert!(!listed.iter().any(|o| o.path.ends_with("p.so")));
    object.base
}

#[test]
fn a_plugin_is_patched_to_the_current_plan_and_leaves_without_a_trace() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = plugin::copy(directory.path(), "p.so");
    let x = numbers(60_000);
    let wanted = stirred(30, &x);
    engine.plug(PlugOptions::default()).unwrap();
    let stop = AtomicBool::new(false);
    let calling = || {
        while !stop.load(Ordering::Relaxed) {
            let mut out = vec![0; x.len()];
            stir(30, &x, &mut out);
            assert!(out == wanted, "a wrong result of the program's own section");
        }
    };
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        (0..2).for_each(|_| drop(scope.spawn(calling)));
        visit(&engine, &path, &x, &wanted);
        let again = visit(&engine, &path, &x, &wanted);
        // Something else sits where it was: it comes to another address and works there.
        let blocker = plugin::copy(directory.path(), "blocker.so");
        let blocker = Plugin::load(&blocker);
        let moved = visit(&engine, &path, &x, &wanted);
        assert_ne!(again, moved);
        drop(blocker);
        assert!(twist(&engine).is_none());
    });
    engine.unplug(None).unwrap();
    let kinds: Vec<_> = engine.events(0).iter().map(|e| e.kind).collect();
    let count = |kind| kinds.iter().filter(|k| **k == kind).count();
    assert_eq!(
        (count(EventKind::Loaded), count(EventKind::Unloaded)),
        (4, 4)
    );
    assert_eq!(engine.status().totals.losses, 0);

    let late = Plugin::load(&path);
    assert_eq!(
        word(&twist(&engine).unwrap().site)[0],
        0x0f,
        "no device, no jump"
    );
    assert!(late.twist(30, &x) == wanted);
}
