//! A thread that blocks SIGTRAP would be killed at a breakpoint: single stores where they are allowed,
//! else refused by name.

mod common;

use std::sync::mpsc;

use hotsled_abi::NOP8;
use hotsled_patcher::{Mode, Options, PatchError, Patcher, Protocol, SingleStore, Want};
use hotsled_sys::signal::Blocked;

/// Runs `body`, with the thread's id, while a thread named `stubborn` blocks every signal.
fn beside_a_stubborn_thread(body: impl FnOnce(i32)) {
    let (ready, is_ready) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let block = move || {
        let _signals = Blocked::all();
        ready.send(hotsled_sys::tid()).unwrap();
        let _ = ended.recv();
    };
    let name = "stubborn".to_owned();
    let thread = std::thread::Builder::new().name(name).spawn(block).unwrap();
    body(is_ready.recv().unwrap());
    drop(end);
    thread.join().unwrap();
}

fn refused_by_name(patcher: &Patcher) {
    let jump = common::wishes(&common::adopt_all(patcher), Want::Jump);
    beside_a_stubborn_thread(|tid| {
        let error = patcher.switch(&jump, Mode::WhatYouCan).unwrap_err();
        let PatchError::TrapBlocked(threads) = &error else {
            panic!("{error}")
        };
        assert_eq!((threads.len(), threads[0].tid), (1, tid));
        assert!(error.to_string().contains("stubborn"), "{error}");
        assert!((0..common::SITES).all(|i| common::bytes(i) == NOP8));
    });
    let report = patcher.switch(&jump, Mode::AllOrNone).unwrap();
    assert_eq!(report.protocol, Some(Protocol::Breakpoint));
    assert!(common::all_are(Want::Jump));
}

/// Also with a site that jumps already when its page gets the alias, and later with sites of both kinds.
fn stored(patcher: &Patcher) {
    let ids = common::adopt_all(patcher);
    let to = |ids, want| {
        patcher
            .switch(&common::wishes(ids, want), Mode::AllOrNone)
            .unwrap()
    };
    assert_eq!(
        to(&ids[3..4], Want::Jump).protocol,
        Some(Protocol::Breakpoint)
    );
    beside_a_stubborn_thread(|_| {
        let report = to(&ids[..64], Want::Jump);
        assert_eq!(
            (report.protocol, report.syncs),
            (Some(Protocol::SingleStore), 1)
        );
        assert!((0..64).all(|i| common::call(i) == i as u32 | common::NEW));
    });
    let status = patcher.status();
    assert!((64..common::SITES).contains(&status.aliased), "{status:?}");
    assert!(status.to_string().contains("single stores"), "{status}");
    assert_eq!(to(&ids, Want::Jump).protocol, Some(Protocol::Breakpoint));
    assert!(common::all_are(Want::Jump));
    to(&ids, Want::Idle);
    assert!(common::all_are(Want::Idle));
}

#[test]
fn a_thread_that_blocks_the_trap_is_named_and_never_killed() {
    let name = "a_thread_that_blocks_the_trap_is_named_and_never_killed";
    common::in_processes(name, &["never", "always"], |case| {
        let store = case == "always";
        let single_store = if store {
            SingleStore::Always
        } else {
            SingleStore::Never
        };
        let patcher = Patcher::new(Options {
            single_store,
            ..Options::default()
        });
        let test = if store { stored } else { refused_by_name };
        test(&patcher.unwrap());
    });
}
