//! Breakpoints that are not ours reach whoever handled them before; a stolen handler is noticed.

mod common;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use hotsled_patcher::{Mode, Options, PatchError, Patcher, Protocol, SingleStore, Want};
use hotsled_sys::signal::{self, Action};

static BEFORE: AtomicU32 = AtomicU32::new(0);
static STOLEN: AtomicU32 = AtomicU32::new(0);
/// The handler that the thief found, to which it hands on.
static VICTIM: AtomicUsize = AtomicUsize::new(0);

extern "C" fn before(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    BEFORE.fetch_add(1, SeqCst);
}

/// Well-behaved: hands on what it does not know, which here is everything.
extern "C" fn thief(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    STOLEN.fetch_add(1, SeqCst);
    let victim = VICTIM.load(SeqCst);
    // SAFETY: the address of the handler that was installed, of this signature.
    let victim = unsafe { std::mem::transmute::<usize, signal::Handler>(victim) };
    victim(signal, info, context);
}

fn take_over(handler: signal::Handler) {
    // SAFETY: the handlers of this test touch two atomics at most.
    let old = unsafe { signal::install(libc::SIGTRAP, &Action::handler(handler)) }.unwrap();
    VICTIM.store(old.address(), SeqCst);
}

fn foreign_trap() {
    // SAFETY: the chained handler returns, and execution goes on after the breakpoint.
    unsafe { std::arch::asm!("int3") };
}

#[test]
fn traps_are_chained_and_a_stolen_handler_is_taken_back_once() {
    take_over(before);
    let options = Options {
        single_store: SingleStore::Never,
        ..Options::default()
    };
    let patcher = Patcher::new(options).unwrap();
    let ids = common::adopt_all(&patcher);
    let to = |want| patcher.switch(&common::wishes(&ids, want), Mode::AllOrNone);
    foreign_trap();
    assert_eq!(BEFORE.load(SeqCst), 1);
    assert!(!to(Want::Jump).unwrap().handler_reinstalled);
    take_over(thief);
    foreign_trap();
    assert_eq!(
        (STOLEN.load(SeqCst), BEFORE.load(SeqCst)),
        (1, 2),
        "thief, we, the one before"
    );
    assert!(to(Want::Idle).unwrap().handler_reinstalled);
    assert!(patcher.status().to_string().contains("installed anew"));
    assert!(common::all_are(Want::Idle));
    // We hand on to the thief, who hands it back to us: it ends with the one before us both.
    foreign_trap();
    assert_eq!((STOLEN.load(SeqCst), BEFORE.load(SeqCst)), (2, 3));
    take_over(thief);
    let Err(PatchError::HandlerLost { address }) = to(Want::Jump) else {
        panic!("a handler that was replaced twice was taken back again")
    };
    assert_eq!(address, thief as *const () as usize);
    assert!(common::all_are(Want::Idle), "a refusal patches nothing");
}

#[test]
fn a_lost_handler_leaves_single_stores() {
    common::in_processes("a_lost_handler_leaves_single_stores", &["store"], |_| {
        let options = Options {
            single_store: SingleStore::Always,
            ..Options::default()
        };
        let patcher = Patcher::new(options).unwrap();
        let ids = common::adopt_all(&patcher);
        let to = |want| {
            patcher
                .switch(&common::wishes(&ids, want), Mode::AllOrNone)
                .unwrap()
        };
        assert_eq!(to(Want::Jump).protocol, Some(Protocol::Breakpoint));
        take_over(thief);
        assert_eq!(to(Want::Idle).protocol, Some(Protocol::Breakpoint));
        take_over(thief);
        assert_eq!(to(Want::Jump).protocol, Some(Protocol::SingleStore));
        assert!(common::all_are(Want::Jump));
        println!("{}", patcher.status());
    });
}
