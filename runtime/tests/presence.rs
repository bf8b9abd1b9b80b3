//! Devices come, work, leave and die; results never change.

mod common;

use std::time::Instant;

use common::{builder, events, is_right, lives, turn, until, with, work};
use hotsled::{Error, EventKind};

#[test]
fn plug_work_unplug() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    let (x, wanted) = work();
    assert!(is_right(&x, &wanted));
    let name = engine.plug(with(&[])).unwrap();
    let pid = engine.status().devices[0].host_pid.unwrap();
    until("a chunk on the device", || {
        assert!(is_right(&x, &wanted));
        engine.status().devices[0].chunks > 0
    });
    let status = engine.status();
    let device = &status.devices[0];
    assert!(device.simulated && device.state == "bound" && device.name == name);
    assert!(device.bytes_in > 0 && device.bytes_out > 0);
    assert!(status.to_string().contains(&name));
    engine.unplug(Some(&name)).unwrap();
    assert!(!lives(pid), "the host outlives its goodbye");
    assert!(is_right(&x, &wanted));
    assert!(engine.status().devices.is_empty());
    assert!(engine.status().sections.iter().all(|s| s.place == "cpu"));
    let (plug, unplug) = (
        events(&engine, EventKind::Plug),
        events(&engine, EventKind::Unplug),
    );
    assert!(plug[0].sites_patched > 0 && plug[0].first_device_result_ms.is_some());
    assert_eq!(plug[0].sites_patched, unplug[0].sites_patched);
    assert_eq!(plug[0].generation, unplug[0].generation);
}

#[test]
fn a_killed_host_loses_nothing_and_returns_as_a_new_generation() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    let (x, wanted) = work();
    for round in 1..=3 {
        let name = engine.plug(with(&[])).unwrap();
        until("a chunk on the device", || {
            assert!(is_right(&x, &wanted));
            engine.status().devices[0].chunks > 0
        });
        std::thread::scope(|scope| {
            scope.spawn(|| (0..10).for_each(|_| assert!(is_right(&x, &wanted))));
            engine.kill(&name).unwrap();
        });
        until("the loss", || engine.status().totals.losses == round);
        assert!(is_right(&x, &wanted));
    }
    let lost = events(&engine, EventKind::Lost);
    assert!(lost.windows(2).all(|w| w[0].generation < w[1].generation));
    assert!(lost.iter().all(|e| e.detail.contains("gone")), "{lost:?}");
}

#[test]
fn a_hung_device_is_lost_with_the_reason() {
    let _turn = turn();
    let engine = builder()
        .chunk_deadline(std::time::Duration::from_millis(300))
        .start()
        .unwrap();
    let (x, wanted) = work();
    engine.plug(with(&["--fault", "hang-at-launch:3"])).unwrap();
    until("the loss", || {
        assert!(is_right(&x, &wanted));
        engine.status().totals.losses == 1
    });
    let lost = events(&engine, EventKind::Lost);
    assert!(lost[0].detail.contains("deadline"), "{}", lost[0].detail);
}

#[test]
fn disabled_means_no_device_until_enabled() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    let (x, wanted) = work();
    engine.plug(with(&[])).unwrap();
    engine.disable().unwrap();
    let chunks = engine.status().devices[0].chunks;
    for _ in 0..5 {
        assert!(is_right(&x, &wanted));
    }
    let status = engine.status();
    assert_eq!(
        status.devices[0].chunks, chunks,
        "a disabled engine offers chunks"
    );
    assert!(status.engine.starts_with("off"), "{}", status.engine);
    assert!(matches!(engine.plug(with(&[])), Err(Error::Disabled(_))));
    engine.enable().unwrap();
    until("a chunk after enabling", || {
        assert!(is_right(&x, &wanted));
        engine.status().devices[0].chunks > chunks
    });
}

#[test]
fn drop_ends_every_host() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    engine.plug(with(&[])).unwrap();
    engine.plug(with(&[])).unwrap();
    let pids: Vec<_> = engine
        .status()
        .devices
        .iter()
        .map(|d| d.host_pid.unwrap())
        .collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|&p| lives(p)));
    let began = Instant::now();
    drop(engine);
    assert!(
        began.elapsed().as_secs() < 4,
        "a drop took {:?}",
        began.elapsed()
    );
    assert!(!pids.into_iter().any(lives));
}

#[test]
fn one_engine_and_one_name() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    assert!(matches!(builder().start(), Err(Error::EngineExists)));
    let mut named = with(&[]);
    named.name = Some("left".into());
    assert_eq!(engine.plug(named.clone()).unwrap(), "left");
    assert!(matches!(engine.plug(named), Err(Error::NameTaken(_))));
    assert!(matches!(
        engine.unplug(Some("right")),
        Err(Error::NoDevice(_))
    ));
    assert!(matches!(engine.kill("right"), Err(Error::NoDevice(_))));
}
