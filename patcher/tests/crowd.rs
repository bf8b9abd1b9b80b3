//! Sessions of many threads beside forks, dlopen and dlclose, and a storm of signals whose handler runs
//! sleds: they take turns, end, and leave what the last of them asked for.

mod common;

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use common::{NEW, SITES, call};
use hotsled_abi::SiteId;
use hotsled_patcher::{Mode, Options, Patcher, Want};
use hotsled_sys::signal::{self, Action};

static STOP: AtomicBool = AtomicBool::new(false);
static HANDLED: AtomicU32 = AtomicU32::new(0);
static WRONG: AtomicU32 = AtomicU32::new(0);

extern "C" fn run_a_sled(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let i = HANDLED.fetch_add(1, Relaxed) as usize % SITES;
    if call(i) & !NEW != i as u32 {
        WRONG.fetch_add(1, Relaxed);
    }
}

/// Does `work` until the end, and counts.
fn until_stopped(times: &AtomicU32, mut work: impl FnMut()) {
    let _stop = StopOnDrop; // also when an assertion fails
    while !STOP.load(Relaxed) {
        work();
        times.fetch_add(1, Relaxed);
    }
}

struct StopOnDrop;

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        STOP.store(true, Relaxed);
    }
}

/// Sets of sites that overlap those of the other threads.
fn switch_some(patcher: &Patcher, ids: &[SiteId], own: usize, times: &AtomicU32) {
    let some: Vec<_> = ids.iter().copied().skip(own * 32).take(256).collect();
    let mut wants = [Want::Jump, Want::Idle].into_iter().cycle();
    until_stopped(times, || {
        let wishes = common::wishes(&some, wants.next().unwrap());
        patcher.switch(&wishes, Mode::AllOrNone).unwrap();
    });
}

fn fork_and_wait() {
    // SAFETY: the child ends at once.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let right = (0..SITES).all(|i| call(i) & !NEW == i as u32);
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(i32::from(!right)) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    while unsafe { libc::waitpid(pid, &mut status, 0) } == -1 {}
    assert_eq!(status, 0, "a child ended with {status:#x}");
}

fn load_and_unload(library: &CStr) {
    // SAFETY: a library of libc's, without constructors of note.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null());
    // SAFETY: opened just above.
    assert_eq!(unsafe { libc::dlclose(handle) }, 0);
}

fn signal_somebody() {
    // SAFETY: a signal that has a handler.
    unsafe { libc::kill(hotsled_sys::pid(), libc::SIGUSR1) };
    std::thread::yield_now();
}

#[test]
fn sessions_take_turns_with_whatever_else_goes_on() {
    common::in_every_way("sessions_take_turns_with_whatever_else_goes_on", crowd);
}

fn crowd(options: Options) {
    // SAFETY: `run_a_sled` touches two atomics and runs code that returns a number.
    unsafe { signal::install(libc::SIGUSR1, &Action::handler(run_a_sled)) }.unwrap();
    // SAFETY: whoever hangs is killed and fails the test.
    unsafe { libc::alarm(60) };
    let patcher = Patcher::new(options).unwrap();
    let ids = common::adopt_all(&patcher);
    let times = [const { AtomicU32::new(0) }; 8];
    std::thread::scope(|scope| {
        let (patcher, ids, times) = (&patcher, &ids, &times);
        for (own, times) in times[..4].iter().enumerate() {
            scope.spawn(move || switch_some(patcher, ids, own, times));
        }
        let library = c"libBrokenLocale.so.1";
        scope.spawn(|| until_stopped(&times[4], fork_and_wait));
        scope.spawn(|| until_stopped(&times[5], || load_and_unload(library)));
        scope.spawn(|| until_stopped(&times[6], signal_somebody));
        scope.spawn(|| until_stopped(&times[7], || assert!(patcher.state(ids[9]).is_some())));
        let _stop = StopOnDrop;
        let enough = || times.iter().all(|n| n.load(Relaxed) > 20);
        while !STOP.load(Relaxed) && !enough() {
            (0..SITES).for_each(|i| assert_eq!(call(i) & !NEW, i as u32));
        }
    });
    println!("switches, forks, loads, signals, looks: {times:?}");
    assert!(HANDLED.load(Relaxed) > 0 && WRONG.load(Relaxed) == 0);
    patcher
        .switch(&common::wishes(&ids, Want::Jump), Mode::AllOrNone)
        .unwrap();
    assert!(common::all_are(Want::Jump));
}
