//! Child processes that keep one descriptor and die with us.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// Starts `command` with `fd` as its descriptor number `at`.
///
/// The child gets SIGKILL when the thread that started it ends, so no child outlives its service;
/// start children from a thread that lives as long as they should.
///
/// # Errors
/// What fork or exec report.
pub fn with_descriptor(mut command: Command, fd: OwnedFd, at: i32) -> io::Result<Child> {
    let raw = fd.as_raw_fd();
    let parent = crate::pid();
    let prepare = move || {
        // SAFETY: prctl with these arguments only sets a number in the child.
        crate::check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
        // SAFETY: getppid has no preconditions.
        if unsafe { libc::getppid() } != parent {
            return Err(io::Error::other("the parent ended meanwhile"));
        }
        keep(raw, at)
    };
    // SAFETY: `prepare` calls async-signal-safe functions only and does not allocate on success.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

/// Makes `raw` survive exec as number `at`.
fn keep(raw: i32, at: i32) -> io::Result<()> {
    if raw == at {
        // SAFETY: clears the close-on-exec flag of a descriptor we own.
        return crate::check(unsafe { libc::fcntl(raw, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: dup2 replaces a number that only the child-to-be uses.
    crate::check(unsafe { libc::dup2(raw, at) }).map(drop)
}
