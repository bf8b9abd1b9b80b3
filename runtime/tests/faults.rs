//! A device that misbehaves in the middle of calls; results never change.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use common::{MANY, builder, events, is_right, turn, until, with, work};
use hotsled::{EventKind, parallel};

/// Plugs a device with one fault, calls until it is lost, and gives what the event says.
fn lost_by(fault: &str, verify: u64) -> String {
    let _turn = turn();
    let engine = builder().verify(verify).start().unwrap();
    let (x, wanted) = work();
    engine.plug(with(&["--fault", fault])).unwrap();
    until(fault, || {
        assert!(is_right(&x, &wanted), "{fault}");
        engine.status().totals.losses == 1
    });
    assert!(is_right(&x, &wanted), "{fault}");
    events(&engine, EventKind::Lost)[0].detail.clone()
}

#[test]
fn a_device_that_dies_at_any_step_loses_nothing() {
    for point in ["die-at-copy-in", "die-at-launch", "die-at-copy-out"] {
        let detail = lost_by(&format!("{point}:4"), 0);
        assert!(detail.contains("gone"), "{point}: {detail}");
    }
}

#[test]
fn a_status_that_does_not_exist_ends_the_link() {
    lost_by("garbage-fence:8", 0);
}

#[test]
fn a_wrong_result_is_caught_before_its_commit_and_named() {
    let detail = lost_by("corrupt-result:3", 1);
    assert!(
        detail.contains("iterate") && detail.contains("index"),
        "{detail}"
    );
}

/// Counts remainders, late enough that a device is worth it.
#[hotsled::section]
fn count(x: &[u32], bins: &[AtomicU32]) {
    for i in parallel(0..x.len()) {
        let mut v = x[i];
        for _k in 0..16usize {
            v = v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        }
        bins[(v >> 29) as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Calls it once; whether every element was counted once and in its bin.
fn counts_right(x: &[u32]) -> bool {
    let bins = [const { AtomicU32::new(5) }; 8];
    count(x, &bins);
    let mut wanted = [5; 8];
    for &x in x {
        let step = |v: u32, _| v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        wanted[((0..16).fold(x, step) >> 29) as usize] += 1;
    }
    bins.map(AtomicU32::into_inner) == wanted
}

#[test]
fn accumulators_are_checked_before_they_are_combined() {
    let _turn = turn();
    let x: Vec<u32> = (0..MANY as u32).collect();
    let engine = builder().verify(1).start().unwrap();
    engine.plug(with(&[])).unwrap();
    until("a chunk is checked", || {
        assert!(counts_right(&x));
        let sections = engine.status().sections;
        let count = sections.iter().find(|s| s.path.ends_with("::count"));
        count.unwrap().counts.chunks_verified > 0
    });
    assert_eq!(engine.status().totals.losses, 0, "the device is right");
    engine.unplug(None).unwrap();
    engine.plug(with(&["--fault", "corrupt-result:2"])).unwrap();
    until("the lie is noticed", || {
        assert!(counts_right(&x));
        engine.status().totals.losses == 1
    });
    let detail = &events(&engine, EventKind::Lost)[0].detail;
    assert!(detail.contains("count"), "{detail}");
}

#[hotsled::section]
fn pick(x: &[f32], at: &[u32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let mut v = x[at[i] as usize];
        for _k in 0..16usize {
            v = (v * v + 1.0).sqrt() * 0.5;
        }
        y[i] = v;
    }
}

/// Two indices are out of bounds; whoever computes them, the lower one's panic is raised.
#[test]
fn a_chunk_that_faults_on_the_device_panics_on_the_cpu() {
    let _turn = turn();
    let engine = builder().start().unwrap();
    engine.plug(with(&[])).unwrap();
    let x = vec![1.5; MANY];
    let good: Vec<u32> = (0..MANY as u32).collect();
    let mut y = vec![0.0; MANY];
    until("a chunk on the device", || {
        pick(&x, &good, &mut y);
        engine.status().devices[0].chunks > 0
    });
    let mut bad = good.clone();
    (bad[700], bad[MANY - 5]) = (4_000_000, 5_000_000);
    for _ in 0..5 {
        let panic = catch_unwind(AssertUnwindSafe(|| pick(&x, &bad, &mut y))).unwrap_err();
        let text = panic.downcast::<String>().unwrap();
        assert!(text.ends_with("the index is 4000000"), "{text}");
    }
    assert_eq!(
        engine.status().totals.losses,
        0,
        "a fault is the call's, not the device's"
    );
}
