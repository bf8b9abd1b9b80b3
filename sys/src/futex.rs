//! Waiting on a word that two processes share.

use std::io;
use std::ptr::NonNull;
use std::time::Duration;

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Woken, or the word had changed already, or for no reason.
    Maybe,
    /// The time was up.
    Timeout,
}

/// Sleeps while the word at `word` is `expected`, at most `limit`.
///
/// # Errors
/// What futex(2) reports beyond the expected outcomes.
///
/// # Safety
/// `word` points at four mapped, 4-byte aligned bytes in memory mapped shared.
pub unsafe fn wait(word: NonNull<u32>, expected: u32, limit: Duration) -> io::Result<Woken> {
    let timeout = libc::timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(limit.subsec_nanos()),
    };
    // SAFETY: the caller vouches for the word; the timeout outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            &raw const timeout,
        )
    };
    if result == 0 {
        return Ok(Woken::Maybe);
    }
    match io::Error::last_os_error() {
        e if e.raw_os_error() == Some(libc::ETIMEDOUT) => Ok(Woken::Timeout),
        e if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(Woken::Maybe),
        e => Err(e),
    }
}

/// Wakes every waiter on the word at `word`.
///
/// # Safety
/// As for [`wait`].
pub unsafe fn wake_all(word: NonNull<u32>) {
    // SAFETY: the caller vouches for the word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}
