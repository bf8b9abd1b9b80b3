//! A breakpoint may be met inside the handler of another one, and nothing else interrupts it.

mod common;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use common::{call, sled};
use hotsled_abi::{INT3, NOP8};
use hotsled_patcher::{Options, Patcher};
use hotsled_sys::procmem::ProcMem;
use hotsled_sys::signal::{self, Action};

static RESULT: AtomicU32 = AtomicU32::new(u32::MAX);
static SIGNALS: AtomicU32 = AtomicU32::new(0);
static SIGNALS_INSIDE: AtomicU32 = AtomicU32::new(u32::MAX);

/// Runs inside the patcher's handler, as the handler of a signal that interrupted it would.
extern "C" fn calls_a_sled(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    RESULT.store(call(5), SeqCst);
    // SAFETY: raise is async-signal-safe, and the signal has a handler.
    unsafe { libc::raise(libc::SIGUSR1) };
    SIGNALS_INSIDE.store(SIGNALS.load(SeqCst), SeqCst);
}

extern "C" fn on_signal(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    SIGNALS.fetch_add(1, SeqCst);
}

fn poke(byte: u8) {
    let mem = ProcMem::open().unwrap();
    // SAFETY: one byte, a breakpoint or what it replaced, as a debugger writes it.
    unsafe { mem.write(sled(5).get(), &[byte]) }.unwrap();
}

#[test]
fn a_breakpoint_inside_the_handler_is_emulated_and_other_signals_wait() {
    // SAFETY: the handler adds to an atomic.
    unsafe { signal::install(libc::SIGUSR1, &Action::handler(on_signal)) }.unwrap();
    // SAFETY: the handler calls a sled and stores to an atomic.
    unsafe { signal::install(libc::SIGTRAP, &Action::handler(calls_a_sled)) }.unwrap();
    let patcher = Patcher::new(Options::default()).unwrap();
    common::adopt_all(&patcher);
    poke(INT3);
    // SAFETY: nobody knows this breakpoint, so it goes to the handler above, which returns.
    unsafe { std::arch::asm!("int3") };
    poke(NOP8[0]);
    assert_eq!((SIGNALS_INSIDE.load(SeqCst), SIGNALS.load(SeqCst)), (0, 1));
    assert_eq!((RESULT.load(SeqCst), patcher.traps()), (5, 1));
}
