//! Children of any fork run CPU code and never patch, also when the fork fell into a batch.
//!
//! Where text has an alias, children of `_Fork` and raw clone share it with their parent and see his jumps:
//! then the dispatcher behind them is what leads back, as the targets of this test do.

mod common;

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use common::{NEW, SITES, bytes, call};
use hotsled_abi::{INT3, NOP8, SiteId};
use hotsled_patcher::{Mode, Options, PatchError, Patcher, SingleStore, Want, WritePath};
use hotsled_sys::maps;

const CAUGHT: i32 = 10;
const CLEAN: i32 = 11;
const EMULATED_AS_JUMP: i32 = 12;
const WRONG_RESULT: i32 = 13;
const PATCHED: i32 = 14;
const SEES_ITS_PARENT: i32 = 15;
const HAS_A_VIEW: i32 = 16;

/// What a child finds. Allocates nothing: a raw clone may have caught any lock.
fn child(patcher: &Patcher, wish: (SiteId, Want), shared: bool) -> i32 {
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
            got if trapping && !shared && got & NEW != 0 => return EMULATED_AS_JUMP,
            _ => {}
        }
    }
    if caught { CAUGHT } else { CLEAN }
}

/// As [`child`], after fork(3): the hook has given the text back, so that nothing is patched here, whatever
/// the parent does meanwhile.
fn hooked_child(patcher: &Patcher, wish: (SiteId, Want), aliased: bool) -> i32 {
    if aliased {
        let until = Instant::now() + Duration::from_millis(20);
        while Instant::now() < until {
            if (0..SITES).any(|i| bytes(i) != NOP8) {
                return SEES_ITS_PARENT;
            }
        }
        if maps::read()
            .unwrap()
            .iter()
            .any(|r| r.name.contains("hotsled-text"))
        {
            return HAS_A_VIEW;
        }
    }
    child(patcher, wish, false)
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

/// Runs no hooks.
fn bare_fork() -> i32 {
    unsafe extern "C" {
        fn _Fork() -> libc::pid_t;
    }
    // SAFETY: as fork.
    unsafe { _Fork() }
}

/// Runs no hooks, and libc does not know of it.
fn raw_clone() -> i32 {
    // SAFETY: as fork.
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
    common::in_every_way("children_run_cpu_code_and_never_patch", fork_while_flipping);
}

fn fork_while_flipping(options: Options) {
    let patcher = Patcher::new(options).unwrap();
    let ids = common::adopt_all(&patcher);
    let wish = (ids[0], Want::Jump);
    let aliased = options.path == WritePath::Alias;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| flip_until(&patcher, &ids, &stop));
        let _stop = StopOnDrop(&stop); // also when an assertion below fails
        for _ in 0..20 {
            let hooked = || hooked_child(&patcher, wish, aliased);
            assert_eq!(outcome(fork, hooked), CLEAN);
            // A child's child: the hooks must not wait for a lock that nobody will release.
            assert_eq!(outcome(fork, || outcome(fork, hooked)), CLEAN);
        }
        for make in [bare_fork, raw_clone] {
            // A single store is never caught in the middle.
            let wanted = if options.single_store == SingleStore::Always {
                0
            } else {
                5
            };
            assert!(caught(make, wanted, || child(&patcher, wish, aliased)) >= wanted);
        }
    });
}

/// How many children were made in the middle of a batch: of 200, or of more until `wanted` were. On a quiet machine one
/// in a hundred is.
fn caught(make: fn() -> i32, wanted: u32, child: impl Fn() -> i32) -> u32 {
    let until = Instant::now() + Duration::from_secs(60);
    let (mut caught, mut children) = (0, 0);
    while caught < 5 && (children < 200 || caught < wanted) && Instant::now() < until {
        let code = outcome(make, &child);
        assert!([CAUGHT, CLEAN].contains(&code), "a child ended with {code}");
        caught += u32::from(code == CAUGHT);
        children += 1;
    }
    println!("{caught} of {children} children fell into a batch");
    caught
}
