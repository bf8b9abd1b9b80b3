//! A look at the objects between a plugin's leaving and its unmapping does not take it in again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotsled::{Engine, PlugOptions};
use hotsled_tests::numbers;
use hotsled_tests::plugin::{self, Plugin};

static ENGINE: OnceLock<Engine> = OnceLock::new();
static SEEN: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Runs in the plugin's last moments, when it is still in the loader's list.
extern "C" fn look() {
    let engine = ENGINE.get().expect("the engine runs");
    engine.rescan().expect("no object is faulty");
    SEEN.store(engine.status().objects.len(), Ordering::Relaxed);
}

#[test]
fn a_plugin_that_leaves_is_not_taken_in_again() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let engine = ENGINE.get_or_init(|| engine);
    let directory = tempfile::tempdir().unwrap();
    let path = plugin::copy(directory.path(), "late.so");
    let plugin = Plugin::load(&path);
    plugin.at_end(look);
    plugin.twist(3, &numbers(2_000));
    assert_eq!(engine.status().objects.len(), 2);
    drop(plugin);
    assert_eq!(SEEN.load(Ordering::Relaxed), 1, "seen while it left");
    assert!(!plugin::is_mapped(&path));
    engine.plug(PlugOptions::default()).unwrap(); // would write into what is no more
    engine.unplug(None).unwrap();
}
