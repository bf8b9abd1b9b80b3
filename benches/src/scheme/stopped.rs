//! Stop every thread by a signal, write, let them go: what tools do that patch a stopped process.
//!
//! # Safety
//! [`park`] runs in signal context: it makes system calls and touches atomics, and keeps `errno`.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::mprotect::protect;
use super::{Scheme, sleds::Sleds};
use crate::row::Parts;

const SIGNAL: libc::c_int = libc::SIGUSR1;

/// Threads that stand still.
static PARKED: AtomicU32 = AtomicU32::new(0);
/// Counts stops; a thread stands still until it changes.
static STOP: AtomicU32 = AtomicU32::new(0);

/// One stop a batch; plain stores behind one pair of mprotect calls, no check.
pub struct StopTheWorld(Sleds);

impl StopTheWorld {
    pub fn new(sites: usize) -> Result<Self, String> {
        install().map_err(|e| format!("cannot handle the stop signal: {e}"))?;
        Sleds::new(sites).map(Self)
    }
}

impl Scheme for StopTheWorld {
    fn call(&self, site: usize) {
        self.0.call(site);
    }

    fn switch(&self, on: bool) -> Option<Parts> {
        let (start, len) = self.0.extent();
        stop();
        protect(start, len, libc::PROT_WRITE);
        for site in self.0.sites() {
            // SAFETY: writable as of now.
            let cell = unsafe { self.0.cell(site) };
            cell.store(self.0.word(site, on), Ordering::Relaxed);
        }
        protect(start, len, 0);
        go();
        None
    }
}

fn install() -> io::Result<()> {
    // SAFETY: all zeroes are a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = park as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `park` is async-signal-safe (module documentation).
    match unsafe { libc::sigaction(SIGNAL, &action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn park(_signal: libc::c_int) {
    // SAFETY: the calling thread's own variable.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let kept = unsafe { *errno };
    let stop = STOP.load(Ordering::Acquire);
    PARKED.fetch_add(1, Ordering::AcqRel);
    futex(&PARKED, libc::FUTEX_WAKE, 1);
    while STOP.load(Ordering::Acquire) == stop {
        futex(&STOP, libc::FUTEX_WAIT, stop);
    }
    // SAFETY: as above.
    unsafe { *errno = kept };
}

/// Returns when every other thread stands still.
fn stop() {
    PARKED.store(0, Ordering::Release);
    let others = others().expect("/proc is mounted");
    // SAFETY: getpid touches no memory.
    let pid = unsafe { libc::getpid() };
    for &thread in &others {
        // SAFETY: the signal's handler is ours; a thread that ended would be an error, and none does.
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, pid, thread, SIGNAL) };
        assert_eq!(sent, 0, "no thread ends while its scheme is measured");
    }
    loop {
        let parked = PARKED.load(Ordering::Acquire);
        if parked as usize == others.len() {
            return;
        }
        futex(&PARKED, libc::FUTEX_WAIT, parked);
    }
}

fn go() {
    STOP.fetch_add(1, Ordering::AcqRel);
    futex(&STOP, libc::FUTEX_WAKE, i32::MAX as u32);
}

/// Numbers of the other threads. Finding them is part of the work.
fn others() -> io::Result<Vec<libc::pid_t>> {
    // SAFETY: gettid touches no memory.
    let own = unsafe { libc::gettid() };
    let tids = std::fs::read_dir("/proc/self/task")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().parse().ok()));
    let tids: io::Result<Vec<Option<libc::pid_t>>> = tids.collect();
    Ok(tids?.into_iter().flatten().filter(|t| *t != own).collect())
}

fn futex(word: &AtomicU32, operation: libc::c_int, value: u32) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    let no_timeout = std::ptr::null::<libc::timespec>();
    // SAFETY: the word is a static; a futex call reads it and nothing else.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, no_timeout) };
}
