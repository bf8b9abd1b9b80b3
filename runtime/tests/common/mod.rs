//! What the tests of the engine share.
#![allow(
    dead_code,
    reason = "each test program uses the part of this that it needs"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hotsled::{Builder, Engine, Event, EventKind, PlugOptions, parallel};

/// Elements of a call that is worth a device.
pub const MANY: usize = 1 << 17;

/// Heavy enough for each element that a device is worth it.
#[hotsled::section]
pub fn iterate(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let mut v = x[i];
        for _k in 0..16usize {
            v = (v * v + 1.0).sqrt() * 0.5;
        }
        y[i] = v;
    }
}

/// What [`iterate`] gives, by an ordinary loop.
pub fn wanted(x: &[f32]) -> Vec<f32> {
    let one = |&x: &f32| (0..16).fold(x, |v, _| (v * v + 1.0).sqrt() * 0.5);
    x.iter().map(one).collect()
}

/// Calls [`iterate`] and compares; true if equal bit for bit.
pub fn is_right(x: &[f32], wanted: &[f32]) -> bool {
    let mut y = vec![0.0; x.len()];
    iterate(x, &mut y);
    y.iter()
        .zip(wanted)
        .all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Input and wanted output.
pub fn work() -> (Vec<f32>, Vec<f32>) {
    let x: Vec<f32> = (0..MANY).map(|i| (i % 977) as f32 * 0.37).collect();
    let wanted = wanted(&x);
    (x, wanted)
}

/// A process has one engine, so its tests take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// The device host program that cargo builds with the tests.
pub fn host() -> PathBuf {
    let exe = std::env::current_exe().expect("own path");
    let target = exe.ancestors().nth(2).expect("target/PROFILE");
    let path = target.join("examples/sim_host");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p hotsled-runtime --examples`",
        path.display()
    );
    path
}

/// An engine that finds it and does not wait long.
pub fn builder() -> Builder {
    Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(host(), Vec::<OsString>::new())
        .handshake_deadline(Duration::from_secs(2))
        .chunk_deadline(Duration::from_secs(2))
}

/// A plug with arguments for the host.
pub fn with(arguments: &[&str]) -> PlugOptions {
    PlugOptions {
        arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
        ..PlugOptions::default()
    }
}

/// Waits for something that must come true.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Events of one kind.
pub fn events(engine: &Engine, kind: EventKind) -> Vec<Event> {
    let all = engine.events(0).into_iter();
    all.filter(|e| e.kind == kind).collect()
}

/// Whether a process is there and no zombie.
pub fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|s| !s.rsplit(')').next().unwrap_or("").trim().starts_with('Z'))
}
