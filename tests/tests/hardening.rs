//! Invariant 1: no mapping of the service or its device host is ever writable and executable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use hotsled::{Engine, PlugOptions};
use hotsled_tests::{Load, until};

/// Lines of a process's memory map that are writable and executable; `None` if it has gone.
fn unsafe_mappings(pid: u32) -> Option<Vec<String>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let both = |line: &&str| line.split(' ').nth(1).is_some_and(|p| p.contains("wx"));
    Some(maps.lines().filter(both).map(str::to_owned).collect())
}

#[test]
fn nothing_is_ever_writable_and_executable() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let (stop, host) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let watcher = std::thread::spawn({
        let (stop, host) = (stop.clone(), host.clone());
        move || {
            let (mut looks, mut hosts) = (0u32, 0u32);
            while !stop.load(SeqCst) {
                assert_eq!(unsafe_mappings(std::process::id()), Some(vec![]));
                if let pid @ 1.. = host.load(SeqCst)
                    && let Some(found) = unsafe_mappings(pid)
                {
                    assert_eq!(found, Vec::<String>::new(), "in the device host");
                    hosts += 1;
                }
                looks += 1;
            }
            (looks, hosts)
        }
    });
    let load = Load::start(1, 60_000);
    for round in 0..20 {
        let name = engine.plug(PlugOptions::default()).unwrap();
        host.store(engine.status().devices[0].host_pid.unwrap(), SeqCst);
        until("a chunk from the device", || {
            engine.status().devices[0].chunks > 0
        });
        match round % 2 {
            0 => engine.unplug(Some(&name)).unwrap(),
            _ => engine.kill(&name).unwrap(),
        }
        until("its end", || engine.status().devices.is_empty());
    }
    stop.store(true, SeqCst);
    let (looks, hosts) = watcher.join().unwrap();
    assert!(looks > 100 && hosts > 20, "{looks} looks, {hosts} at hosts");
    assert_eq!(load.stop().1, 0);
}
