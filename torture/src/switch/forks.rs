//! Children of every kind of fork: they run CPU code, whatever the fork caught, and never patch.

use hotsled_abi::INT3;
use hotsled_patcher::{Mode, PatchError, Want};

use super::field::Field;
use crate::failure::{FAILED, fail};
use crate::random::Random;
use crate::sleds::{self, SITES};
use crate::tally::TALLY;

/// Exit status of a child that found a breakpoint.
const CAUGHT: i32 = 10;

unsafe extern "C" {
    /// fork(3) without the hooks.
    fn _Fork() -> libc::pid_t;
}

/// Forks until the field is closed.
pub fn run(field: &Field, mut random: Random) {
    while field.is_open() {
        let pid = fork(random.below(3));
        if pid == 0 {
            let status = child(field);
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(status) };
        }
        let caught = reap(pid) == CAUGHT;
        TALLY.forks.add(1);
        TALLY.forks_in_session.add(u64::from(caught));
    }
}

fn fork(kind: usize) -> libc::pid_t {
    match kind {
        // SAFETY: the child only runs `child` and _exit.
        0 => unsafe { libc::fork() },
        // SAFETY: as above.
        1 => unsafe { _Fork() },
        // SAFETY: as above; the child gets a copy of everything.
        _ => unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as libc::pid_t },
    }
}

/// Allocates nothing: but for fork(3), any lock may have been caught.
fn child(field: &Field) -> i32 {
    // SAFETY: a child that hangs is killed, and the parent fails.
    unsafe { libc::alarm(60) };
    let wish = [(field.ids[0], Want::Jump)];
    let patched = field.patcher.switch(&wish, Mode::WhatYouCan);
    if !matches!(patched, Err(PatchError::Forked { .. })) {
        fail(format_args!("a forked child may patch"));
    }
    let mut caught = false;
    for site in 0..SITES {
        caught |= sleds::found(site)[0] == INT3;
        let got = sleds::call(site);
        if got != site as u32 {
            fail(format_args!(
                "site {site} returned {got:#x} in a forked child"
            ));
        }
    }
    if caught { CAUGHT } else { 0 }
}

fn reap(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: waits for the child made by this thread.
    let reaped = unsafe { libc::waitpid(pid, &mut status, 0) };
    if reaped != pid {
        let error = std::io::Error::last_os_error();
        fail(format_args!("fork or wait: {error}"));
    }
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        fail(format_args!("a forked child was killed by signal {signal}"));
    }
    match libc::WEXITSTATUS(status) {
        FAILED => fail(format_args!("a forked child failed")),
        status => status,
    }
}
