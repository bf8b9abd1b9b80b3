//! Hosts that misbehave are refused with the reason, and delay nobody.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use common::{builder, events, host, is_right, turn, until, with, work};
use hotsled::client::Client;
use hotsled::{Engine, Error, EventKind, Retry};

#[test]
fn each_misbehaviour_is_named_and_the_next_plug_works() {
    let _turn = turn();
    let engine = builder()
        .handshake_deadline(Duration::from_millis(500))
        .start()
        .unwrap();
    let (x, wanted) = work();
    let faults = [
        ("bad-version", "protocol"),
        ("garbage-greeting", "garbage"),
        ("close-early", "gone"),
        ("silent", "deadline"),
        ("refuse-lowering", "lowered none"),
        ("garbage-lowering", "garbage"),
    ];
    for (n, (fault, words)) in faults.iter().enumerate() {
        let error = engine.plug(with(&["--fault", fault])).unwrap_err();
        assert!(error.to_string().contains(words), "{fault}: {error}");
        let refused = events(&engine, EventKind::Refused);
        assert_eq!(refused.len(), n + 1);
        assert_eq!(refused[n].detail, error.to_string());
        assert!(is_right(&x, &wanted));
    }
    engine.plug(with(&[])).unwrap();
}

#[test]
fn a_refused_plug_is_tried_again_as_configured() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("host");
    let (flag, real) = (dir.path().join("flag"), host());
    let text = format!(
        "#!/bin/sh\nif [ -e {0} ]; then exec {1} \"$@\"; fi\n: > {0}\nexec {1} \"$@\" --fault refuse-lowering\n",
        flag.display(),
        real.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let retry = Retry {
        attempts: 2,
        first: Duration::from_millis(50),
    };
    let engine = builder()
        .device_program(&script, [])
        .retry(retry)
        .start()
        .unwrap();
    let first = engine.plug(with(&[]));
    assert!(
        matches!(first, Err(Error::NothingLowered { .. })),
        "{first:?}"
    );
    until("the second attempt", || engine.status().totals.plugs == 1);
    assert_eq!(engine.status().totals.refusals, 1);
}

#[test]
fn without_a_policy_there_is_one_attempt() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    assert!(engine.plug(with(&["--fault", "close-early"])).is_err());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(engine.status().totals.refusals, 1);
}

#[test]
fn a_silent_host_delays_no_other_plug_and_no_drop() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let engine = builder()
        .handshake_deadline(Duration::from_secs(20))
        .control_socket(&path)
        .start()
        .unwrap();
    let began = Instant::now();
    let client = Client::at(&path);
    let silent = std::thread::spawn(move || client.plug(with(&["--fault", "silent"])));
    until("the silent host", || children() == 1);
    let good = engine.plug(with(&[])).unwrap();
    engine.unplug(Some(&good)).unwrap();
    assert!(!silent.is_finished());
    drop(engine);
    assert!(silent.join().unwrap().is_err());
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(children(), 0, "the silent host outlives the engine");
}

/// Child processes of this one.
fn children() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let of = |t: std::fs::DirEntry| std::fs::read_to_string(t.path().join("children"));
    tasks
        .filter_map(|t| of(t).ok())
        .map(|c| c.split_whitespace().count())
        .sum()
}

#[test]
fn no_program_says_how_to_get_one() {
    let _turn = turn();
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program("/nonexistent/hotsled-device", [])
        .start()
        .unwrap();
    let error = engine.plug(with(&[])).unwrap_err();
    assert!(matches!(error, Error::NoHostProgram { .. }));
    assert!(error.to_string().contains("cargo build"), "{error}");
}
