//! A panic and a backtrace pass from a section's body through dispatch, its trampoline and its sled to
//! the caller, while the sled is patched.

use std::backtrace::Backtrace;
use std::sync::{Arc, Mutex};

use hotsled::{Engine, PlugOptions, parallel};

#[hotsled::section]
fn beyond(x: &[u32], out: &mut [u32]) {
    for i in parallel(0..out.len()) {
        out[i] = x[i + 1];
    }
}

#[inline(never)]
fn calls_beyond(x: &[u32]) {
    let mut out = vec![0; x.len()];
    beyond(x, &mut out);
}

#[test]
fn a_panic_of_a_patched_section_reaches_its_caller() {
    let engine = Engine::builder()
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    engine.plug(PlugOptions::default()).unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let hook = seen.clone();
    std::panic::set_hook(Box::new(move |_| {
        *hook.lock().unwrap() = Backtrace::force_capture().to_string();
    }));
    // One grain: in the caller's own thread. A device is not worth it, so dispatch runs the body.
    let x = vec![7; 1_000];
    let panic = std::panic::catch_unwind(|| calls_beyond(&x)).unwrap_err();
    let _ = std::panic::take_hook();
    let message = panic.downcast::<String>().unwrap();
    assert_eq!(
        *message,
        "index out of bounds: the len is 1000 but the index is 1000"
    );
    let seen = seen.lock().unwrap();
    for frame in [
        "beyond::__body",
        "hotsled_runtime::dispatch::dispatch",
        "calls_beyond",
    ] {
        assert!(seen.contains(frame), "no {frame} in {seen}");
    }
}
