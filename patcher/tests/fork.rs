//! Children of any fork run CPU code and never patch, also when the fork fell into a batch.

mod common;

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use common::{NEW, SITES, bytes, call};
use hotsled_abi::{INT3, SiteId};
use hotsled_patcher::{Mode, Options, PatchError, Patcher, Want};

const CAUGHT: i32 = 10;
const CLEAN: i32 = 11;
const EMULATED_AS_JUMP: i32 = 12;
const WRONG_RESULT: i32 = 13;
const PATCHED: i32 = 14;

/// What a child finds. Allocates nothing: a raw clone may have caught any lock.
fn child(patcher: &Patcher, wish: (SiteId, Want)) -> i32 {
    // SAFETY: a child that hangs is killed and fails the test.
    unsafe { libc::alarm(5) };
    if !matches!(
        patcher.switch(&[wish], Mode::WhatYouCan),
        Err(PatchError::Forked { .. })
    ) {
        return PATCHED;
    }
    let mut caught = false;
    for i in 0..SITES {
        let trapping = bytes(i)[0] == INT3;
        caught |= trapping;
        match call(i) {
            got if got & !NEW != i as u32 => return WRONG_RESULT,
            got if trapping && got & NEW != 0 => return EMULATED_AS_JUMP,
            _ => {}
        }
    }
    if caught { CAUGHT } else { CLEAN }
}

/// Runs `child` in a process made by `make`, which runs hooks or not; its exit status.
fn outcome(make: impl FnOnce() -> i32, child: impl FnOnce() -> i32) -> i32 {
    let pid = make();
    if pid == 0 {
        let code = child();
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(
        libc::WIFEXITED(status),
        "child died of signal {}",
        libc::WTERMSIG(status)
    );
    libc::WEXITSTATUS(status)
}

fn fork() -> i32 {
    // SAFETY: the child only runs `child` and _exit.
    unsafe { libc::fork() }
}

fn raw_clone() -> i32 {
    // SAFETY: as fork, without any hook.
    unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32 }
}

fn flip_until(patcher: &Patcher, ids: &[SiteId], stop: &AtomicBool) {
    let wishes = [Want::Jump, Want::Idle].map(|want| common::wishes(ids, want));
    while !stop.load(SeqCst) {
        for wish in &wishes {
            patcher.switch(wish, Mode::AllOrNone).unwrap();
        }
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn children_run_cpu_code_and_never_patch() {
    let patcher = Patcher::new(Options::default()).unwrap();
    let ids = common::adopt_all(&patcher);
    let wish = (ids[0], Want::Jump);
    let (stop, until) = (
        AtomicBool::new(false),
        Instant::now() + Duration::from_secs(5),
    );
    let (mut caught, mut children) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| flip_until(&patcher, &ids, &stop));
        let _stop = StopOnDrop(&stop); // also when an assertion below fails
        for _ in 0..20 {
            assert_eq!(outcome(fork, || child(&patcher, wish)), CLEAN);
            // A child's child: the hooks must not wait for a lock that nobody will release.
            let nested = || outcome(fork, || child(&patcher, wish));
            assert_eq!(outcome(fork, nested), CLEAN);
        }
        while caught < 5 && Instant::now() < until {
            let code = outcome(raw_clone, || child(&patcher, wish));
            assert!([CAUGHT, CLEAN].contains(&code), "a child ended with {code}");
            caught += u32::from(code == CAUGHT);
            children += 1;
        }
    });
    println!("{caught} of {children} raw clones fell into a batch");
    assert!(
        caught >= 5,
        "{caught} (a negative number is a child's complaint)"
    );
}
