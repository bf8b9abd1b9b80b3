//! Breakpoints that are not ours reach whoever handled them before; a stolen handler is noticed.

mod common;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use hotsled_patcher::{Mode, Options, PatchError, Patcher, Want};
use hotsled_sys::signal::{self, Action};

static BEFORE: AtomicU32 = AtomicU32::new(0);

extern "C" fn before(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    BEFORE.fetch_add(1, SeqCst);
}

extern "C" fn thief(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn take_over(handler: signal::Handler) {
    // SAFETY: the handlers of this test touch one atomic at most.
    unsafe { signal::install(libc::SIGTRAP, &Action::handler(handler)) }.unwrap();
}

#[test]
fn traps_are_chained_and_a_stolen_handler_is_taken_back_once() {
    take_over(before);
    let patcher = Patcher::new(Options::default()).unwrap();
    let ids = common::adopt_all(&patcher);
    let to = |want| patcher.switch(&common::wishes(&ids, want), Mode::AllOrNone);
    // SAFETY: the chained handler returns, and execution goes on after the breakpoint.
    unsafe { std::arch::asm!("int3") };
    assert_eq!(BEFORE.load(SeqCst), 1);
    assert!(!to(Want::Jump).unwrap().handler_reinstalled);
    take_over(thief);
    assert!(to(Want::Idle).unwrap().handler_reinstalled);
    assert!(common::all_are(Want::Idle));
    take_over(thief);
    assert!(
        matches!(to(Want::Jump), Err(PatchError::HandlerLost { address })
        if address == thief as *const () as usize)
    );
    assert!(common::all_are(Want::Idle), "a refusal patches nothing");
}
