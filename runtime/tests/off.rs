//! `HOTSLED=off`: nothing is ever patched, and the engine says so.

mod common;

use std::process::Command;

use common::{builder, is_right, with, work};
use hotsled::Error;

#[test]
#[ignore = "runs as a child of the other test, with HOTSLED set"]
fn child() {
    let engine = builder().start().unwrap();
    let (x, wanted) = work();
    let error = engine.plug(with(&[])).unwrap_err();
    assert!(matches!(error, Error::Disabled("HOTSLED=off")), "{error}");
    assert!(engine.enable().is_err(), "enable overrides HOTSLED=off");
    assert!(is_right(&x, &wanted));
    let status = engine.status();
    assert_eq!(status.engine, "off: HOTSLED=off");
    assert_eq!(status.patching, "never in this process");
    assert!(
        status
            .sections
            .iter()
            .all(|s| s.why.contains("HOTSLED=off"))
    );
    assert_eq!(status.counts.calls_device, 0);
}

#[test]
fn an_engine_that_is_off_says_so_and_never_patches() {
    let exe = std::env::current_exe().unwrap();
    let mut command = Command::new(exe);
    command
        .args(["--exact", "child", "--ignored"])
        .env("HOTSLED", "off");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
