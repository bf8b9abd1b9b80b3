//! Plugins come and go on several threads while devices do and status is read: no deadlock, no wrong
//! result, no crash, and nothing of any plugin is left.

use std::sync::atomic::{AtomicUsize, Ordering};

use hotsled::{Engine, EventKind, PlugOptions};
use hotsled_tests::plugin::{self, Plugin};
use hotsled_tests::{numbers, stirred};

const THREADS: usize = 3;
const VISITS: usize = 40;

#[test]
fn loads_and_unloads_beside_everything_else() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let x = numbers(6_000);
    let wanted = stirred(9, &x);
    let working = AtomicUsize::new(THREADS);
    let visits = |n: usize| {
        let path = plugin::copy(directory.path(), &format!("storm-{n}.so"));
        for _ in 0..VISITS {
            let plugin = Plugin::load(&path);
            assert!(plugin.twist(9, &x) == wanted, "a wrong result");
            drop(plugin);
        }
        working.fetch_sub(1, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| scope.spawn(move || visits(n)))
            .collect();
        scope.spawn(|| {
            while working.load(Ordering::Relaxed) > 0 {
                engine.rescan().unwrap();
                assert!(engine.status().objects.len() <= THREADS + 1);
            }
        });
        while threads.iter().any(|t| !t.is_finished()) {
            engine.plug(PlugOptions::default()).unwrap();
            engine.unplug(None).unwrap();
        }
        if threads.into_iter().any(|t| t.join().is_err()) {
            working.store(0, Ordering::Relaxed); // ends the reader; the scope tells the panic
        }
    });
    assert_eq!(engine.status().objects.len(), 1);
    assert_eq!(engine.status().totals.losses, 0);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("/storm-"), "a plugin is still mapped");
    engine.enable().unwrap(); // answered after all news that came before
    let kinds: Vec<_> = engine.events(0).into_iter().map(|e| e.kind).collect();
    let count = |kind| kinds.iter().filter(|k| **k == kind).count();
    // Not one for each visit: a look may keep a plugin from one visit to the next.
    assert!(count(EventKind::Loaded) > VISITS);
    assert_eq!(count(EventKind::Loaded), count(EventKind::Unloaded));
}
