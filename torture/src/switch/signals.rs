//! Signals that hit every thread of the crew; their handlers run sleds.

use std::sync::atomic::{AtomicUsize, Ordering};

use hotsled_sys::signal::{self, Action};

use super::field::Field;
use crate::random::Random;
use crate::sleds::{self, SITES};
use crate::tally::TALLY;

/// One only: frames of handlers that interrupt each other pile up on the small alternate stack.
const SIGNAL: libc::c_int = libc::SIGUSR1;

/// Sends until the field is closed.
pub fn run(field: &Field, mut random: Random) {
    // SAFETY: `on_signal` calls sleds and adds to atomics, nothing else.
    let before = unsafe { signal::install(SIGNAL, &Action::handler(on_signal)) };
    before.expect("handlers can be installed");
    while field.is_open() {
        let crew = field.crew();
        send(crew[random.below(crew.len())]);
        if random.below(16) == 0 {
            std::thread::yield_now();
        }
    }
}

fn send(tid: i32) {
    let pid = hotsled_sys::pid();
    // SAFETY: a signal with a handler, to a thread of this process; one that has ended gets none.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, SIGNAL) };
}

extern "C" fn on_signal(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let from = NEXT.fetch_add(17, Ordering::Relaxed);
    (from..from + 8).for_each(|site| {
        sleds::check(site % SITES);
    });
    TALLY.signals.add(1);
}
