//! A thread that blocks SIGTRAP would be killed at a breakpoint: refused by name.

mod common;

use std::sync::mpsc;

use hotsled_abi::NOP8;
use hotsled_patcher::{Mode, Options, PatchError, Patcher, Want};
use hotsled_sys::signal::BlockAll;

#[test]
fn a_thread_that_blocks_the_trap_is_named_and_nothing_is_patched() {
    let patcher = Patcher::new(Options::default()).unwrap();
    let jump = common::wishes(&common::adopt_all(&patcher), Want::Jump);
    let (ready, is_ready) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let body = move || {
        let _signals = BlockAll::new();
        ready.send(hotsled_sys::tid()).unwrap();
        let _ = ended.recv();
    };
    let name = "stubborn".to_owned();
    let thread = std::thread::Builder::new().name(name).spawn(body).unwrap();
    let tid = is_ready.recv().unwrap();
    let error = patcher.switch(&jump, Mode::WhatYouCan).unwrap_err();
    let PatchError::TrapBlocked(threads) = &error else {
        panic!("{error}")
    };
    assert_eq!((threads.len(), threads[0].tid), (1, tid));
    assert!(error.to_string().contains("stubborn"), "{error}");
    assert!((0..common::SITES).all(|i| common::bytes(i) == NOP8));
    drop(end);
    thread.join().unwrap();
    patcher.switch(&jump, Mode::AllOrNone).unwrap();
    assert!(common::all_are(Want::Jump));
}
