//! The end of a process that saw something wrong.
//!
//! # Safety
//! Everything here runs in signal handlers and in forked children: it neither allocates nor locks.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use hotsled_abi::SiteAddr;
use hotsled_sys::signal::{self, Action};

/// Exit status of a process that saw something wrong.
pub const FAILED: i32 = 1;

/// Signals that mean torn code.
const FAULTS: [(libc::c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGTRAP, "SIGTRAP from a breakpoint that nobody knows"),
];

/// A line without a heap.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

/// Says what was wrong and ends the process.
pub fn fail(what: fmt::Arguments<'_>) -> ! {
    let mut line = Line {
        bytes: [0; 512],
        len: 0,
    };
    let _ = writeln!(line, "torture: FAILED: {what}");
    // SAFETY: the buffer holds `len` bytes; write is async-signal-safe.
    unsafe { libc::write(libc::STDERR_FILENO, line.bytes.as_ptr().cast(), line.len) };
    // SAFETY: ends the process without running anything else.
    unsafe { libc::_exit(FAILED) }
}

/// Where the first sled lies, from which faults are measured.
static SLEDS: AtomicU64 = AtomicU64::new(0);

/// Turns each fault from now on into [`fail`], which tells its distance from `sleds`.
///
/// # Panics
/// When a handler cannot be installed.
pub fn catch_faults(sleds: SiteAddr) {
    SLEDS.store(sleds.get(), Ordering::Relaxed);
    for (signal, _) in FAULTS {
        // SAFETY: `on_fault` is async-signal-safe (module documentation).
        let before = unsafe { signal::install(signal, &Action::handler(on_fault)) };
        before.expect("handlers can be installed");
    }
}

extern "C" fn on_fault(number: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid ucontext to SA_SIGINFO handlers.
    let rip = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    let name = FAULTS.iter().find(|f| f.0 == number).map_or("?", |f| f.1);
    let distance = rip - SLEDS.load(Ordering::Relaxed) as i64;
    fail(format_args!(
        "{name} at {rip:#x}, {distance} bytes from the first sled"
    ))
}
