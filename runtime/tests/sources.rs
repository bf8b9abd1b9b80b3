//! Devices by signal, and hosts that connect by themselves.

mod common;

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{builder, events, host, turn, until};
use hotsled::{Error, EventKind};
use hotsled_link::{DeviceInfo, Server, ServerOptions};
use hotsled_sys::seqpacket;

const USR1: i32 = 10;
const USR2: i32 = 12;

fn signal(number: i32) {
    let pid = std::process::id().to_string();
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{number} {pid}")])
        .status();
    assert!(sent.unwrap().success());
}

/// Whether this process has a handler for a signal.
fn handles(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("SigCgt:"))
        .unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap() >> (number - 1) & 1 == 1
}

#[test]
fn signals_plug_and_unplug_and_are_given_back() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    assert!(
        !handles(USR1) && !handles(USR2),
        "a signal is claimed unasked"
    );
    drop(engine);
    let engine = builder().on_signals(USR1, USR2).start().unwrap();
    signal(USR1);
    until("the plug", || engine.status().devices.len() == 1);
    signal(USR2);
    until("the unplug", || engine.status().totals.unplugs == 1);
    drop(engine);
    assert!(!handles(USR1) && !handles(USR2), "a signal is kept");
}

#[test]
fn a_signal_that_cannot_be_used_is_an_error() {
    let _turn = turn();
    for wrong in [0, 9, 999, -1] {
        let started = builder().on_signals(wrong, USR2).start();
        assert!(matches!(started, Err(Error::Signal { signal, .. }) if signal == wrong));
    }
    assert!(!handles(USR2));
}

#[test]
fn a_host_connects_by_itself_and_is_asked_to_leave() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("devices.sock");
    let engine = builder().device_socket(&path).start().unwrap();
    let mut command = Command::new(host());
    command
        .args(["sim", "--connect"])
        .arg(&path)
        .stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    until("the plug", || engine.status().devices.len() == 1);
    let name = engine.status().devices[0].name.clone();
    assert!(matches!(engine.kill(&name), Err(Error::NotOurs(_))));
    engine.unplug(Some(&name)).unwrap();
    until("the host's end", || child.try_wait().unwrap().is_some());
    drop(engine);
    assert!(!path.exists());
}

#[test]
fn hosts_that_connect_and_misbehave_are_refused() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("devices.sock");
    let engine = builder()
        .handshake_deadline(Duration::from_millis(400))
        .device_socket(&path)
        .start()
        .unwrap();
    let connect = || -> OwnedFd { seqpacket::connect(&path).unwrap() };
    let refused = || events(&engine, EventKind::Refused);
    let garbage = connect();
    seqpacket::send(garbage.as_fd(), b"\x07garbage", None).unwrap();
    until("garbage refused", || refused().len() == 1);
    drop(connect());
    until("an early end refused", || refused().len() == 2);
    let silent = connect();
    until("silence refused", || refused().len() == 3);
    let options = ServerOptions {
        version: 99,
        ..ServerOptions::default()
    };
    let info = DeviceInfo {
        name: "x".into(),
        kind: "x".into(),
        bounded: false,
        simulated: true,
        memory: 1 << 20,
        bandwidth: 0,
        latency_ns: 0,
    };
    let began = Instant::now();
    assert!(Server::connect(connect(), info, &options).is_err());
    assert!(began.elapsed() < Duration::from_secs(2));
    until("the version refused", || refused().len() == 4);
    assert!(
        refused()[3].detail.contains("99"),
        "{}",
        refused()[3].detail
    );
    assert_eq!(engine.status().totals.plugs, 0);
    drop(silent);
}
