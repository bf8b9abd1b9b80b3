//! Signals that write one byte to a descriptor, and do nothing else.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::signal::{self, Action};

const SIGNALS: usize = 65;
/// By signal: descriptor plus one in the upper half, byte in the lower.
static TARGETS: [AtomicU64; SIGNALS] = [const { AtomicU64::new(0) }; SIGNALS];

/// From now on `signal` writes `byte` to `fd`, which should be non-blocking and stay open.
///
/// # Errors
/// A number that is no signal, or what sigaction(2) reports.
pub fn on_signal(signal: i32, fd: RawFd, byte: u8) -> io::Result<()> {
    let target = usize::try_from(signal).ok().and_then(|n| TARGETS.get(n));
    let target = target.ok_or(io::ErrorKind::InvalidInput)?;
    target.store((fd as u64 + 1) << 32 | u64::from(byte), Ordering::Release);
    // SAFETY: `write_byte` is async-signal-safe: it loads, writes a descriptor and restores errno.
    unsafe { signal::install(signal, &Action::handler(write_byte)) }.map(drop)
}

extern "C" fn write_byte(signal: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let target = TARGETS[signal as usize].load(Ordering::Acquire);
    if target == 0 {
        return;
    }
    let (fd, byte) = ((target >> 32) as i32 - 1, target as u8);
    // SAFETY: errno's address is valid for the calling thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    // SAFETY: writes one byte from a live local; a closed or full descriptor is an error we ignore.
    unsafe { libc::write(fd, (&raw const byte).cast(), 1) };
    // SAFETY: as above.
    unsafe { *errno = before };
}
