//! Sessions of many threads beside forks, dlopen and dlclose, and a storm of signals whose handler runs
//! sleds: they take turns, end, and leave what the last of them asked for.

mod common;

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

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

/// Does `work` until the end; how often.
fn until_stopped(mut work: impl FnMut()) -> u32 {
    let mut times = 0;
    while !STOP.load(Relaxed) {
        work();
        times += 1;
    }
    times
}

/// Sets of sites that overlap those of the other threads.
fn switch_some(patcher: &Patcher, ids: &[SiteId], own: usize) -> u32 {
    let some: Vec<_> = ids.iter().copied().skip(own * 32).take(256).collect();
    let mut wants = [Want::Jump, Want::Idle].into_iter().cycle();
    until_stopped(|| {
        let wishes = common::wishes(&some, wants.next().unwrap());
        patcher.switch(&wishes, Mode::AllOrNone).unwrap();
    })
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
    let times = std::thread::scope(|scope| {
        let (patcher, ids) = (&patcher, &ids);
        let mut threads: Vec<_> = (0..4)
            .map(|own| scope.spawn(move || switch_some(patcher, ids, own)))
            .collect();
        threads.push(scope.spawn(|| until_stopped(fork_and_wait)));
        threads.push(scope.spawn(|| until_stopped(|| load_and_unload(c"libBrokenLocale.so.1"))));
        threads.push(scope.spawn(|| until_stopped(signal_somebody)));
        threads.push(scope.spawn(|| until_stopped(|| assert!(patcher.state(ids[9]).is_some()))));
        let until = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < until {
            (0..SITES).for_each(|i| assert_eq!(call(i) & !NEW, i as u32));
        }
        STOP.store(true, Relaxed);
        threads
            .into_iter()
            .map(|t| t.join().unwrap())
            .collect::<Vec<_>>()
    });
    println!("switches, forks, loads, signals, looks: {times:?}");
    assert!(times.iter().all(|&n| n > 3), "somebody starved: {times:?}");
    assert!(HANDLED.load(Relaxed) > 0 && WRONG.load(Relaxed) == 0);
    patcher
        .switch(&common::wishes(&ids, Want::Jump), Mode::AllOrNone)
        .unwrap();
    assert!(common::all_are(Want::Jump));
}
