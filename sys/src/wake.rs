//! Signals that write one byte to a descriptor, and do nothing else.

use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::signal::{self, Action};

const SIGNALS: usize = 65;
/// By signal: descriptor plus one in the upper half, byte in the lower.
static TARGETS: [AtomicU64; SIGNALS] = [const { AtomicU64::new(0) }; SIGNALS];

/// A signal in use; dropping it gives the signal back to what was there before.
#[derive(Debug)]
#[must_use = "the signal is given back when this is dropped"]
pub struct Claimed {
    signal: i32,
    before: Action,
}

/// Until the claim is dropped, `signal` writes `byte` to a non-blocking `fd`.
///
/// A handler may be about to write at any moment, so what it writes to is a duplicate of `fd` that is
/// never closed: one descriptor a claim.
///
/// # Errors
/// A number that is no signal, or what dup(2) or sigaction(2) report.
pub fn on_signal(signal: i32, fd: BorrowedFd<'_>, byte: u8) -> io::Result<Claimed> {
    let target = usize::try_from(signal).ok().and_then(|n| TARGETS.get(n));
    let target = target.ok_or(io::ErrorKind::InvalidInput)?;
    signal::current(signal)?; // refuses a wrong number before a descriptor is spent
    let fd = fd.try_clone_to_owned()?.into_raw_fd();
    let former = target.swap((fd as u64 + 1) << 32 | u64::from(byte), Ordering::AcqRel);
    // SAFETY: `write_byte` is async-signal-safe: it loads, writes a descriptor and restores errno.
    let installed = unsafe { signal::install(signal, &Action::handler(write_byte)) };
    match installed {
        Ok(before) => Ok(Claimed { signal, before }),
        Err(error) => {
            target.store(former, Ordering::Release);
            Err(error)
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // SAFETY: what was installed before vouches for itself. It cannot fail: the number is valid.
        let _ = unsafe { signal::install(self.signal, &self.before) };
        TARGETS[self.signal as usize].store(0, Ordering::Release);
    }
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
