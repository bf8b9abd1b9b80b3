//! One session at a time in a process, and no fork(3) in the middle of one.

use std::io;

use hotsled_sys::fork;
use hotsled_sys::signal::Blocked;
use parking_lot::{RawMutex, lock_api::RawMutex as _};

use crate::{alias, owner};

/// Serialises sessions of all threads, and forks. A child inherits it as taken and never needs it:
/// releasing it there would touch wait queues that the fork may have caught half-changed.
static LOCK: RawMutex = RawMutex::INIT;

/// The one session under way.
///
/// What others send to the thread waits meanwhile, so that no handler of the program's can fork or patch
/// on a thread that holds the lock. Traps do not wait: a thread that blocks SIGTRAP, also while it waits
/// for the lock, would make other sessions refuse.
pub(crate) struct Session {
    _signals: Blocked,
}

impl Session {
    /// Waits for the sessions before.
    pub(crate) fn begin() -> Self {
        let signals = Blocked::sent();
        LOCK.lock();
        Self { _signals: signals }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the session's existence says that this thread holds the lock.
        unsafe { LOCK.unlock() };
    }
}

/// Registers the hooks that keep fork(3) out of sessions.
///
/// # Errors
/// What pthread_atfork(3) reports.
pub(crate) fn keep_forks_out() -> io::Result<()> {
    // SAFETY: the hooks take and release a lock, and the child's makes system calls only.
    unsafe { fork::at_fork(before_fork, after_fork_in_parent, after_fork_in_child) }
}

unsafe extern "C" fn before_fork() {
    if owner::is_here() {
        LOCK.lock();
    }
}

unsafe extern "C" fn after_fork_in_parent() {
    if owner::is_here() {
        // SAFETY: `before_fork` took the lock on this very thread.
        unsafe { LOCK.unlock() };
    }
}

unsafe extern "C" fn after_fork_in_child() {
    // SAFETY: the child of a fork has one thread, which is in this hook and not at a sled.
    unsafe { alias::give_back_text() };
}
