//! The only door to Linux: mappings, own memory through `/proc`, signals, barriers, descriptors.
//!
//! Everything here is a thin typed cover over one system call or one `/proc` file; policy lives above.

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("hotsled patches x86-64 code on Linux and nothing else");

pub mod fork;
pub mod futex;
pub mod map;
pub mod maps;
pub mod membarrier;
pub mod memfd;
pub mod modules;
pub mod page;
pub mod poll;
pub mod procmem;
pub mod seqpacket;
pub mod signal;
pub mod spawn;
pub mod threads;
pub mod wake;

use std::io;

/// The result of a call that returns -1 and sets `errno`.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// This process's id, asked of the kernel (so that a child of any fork gets its own).
pub fn pid() -> i32 {
    // SAFETY: getpid has no preconditions.
    unsafe { libc::getpid() }
}

/// The effective user's id.
pub fn uid() -> u32 {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() }
}

/// Flag of opening a file: a symbolic link is an error.
pub const NO_FOLLOW: i32 = libc::O_NOFOLLOW;

/// Ends this process at once: no destructor and no exit handler runs, here or in a loaded library.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// The calling thread's id.
pub fn tid() -> i32 {
    // SAFETY: gettid has no preconditions.
    unsafe { libc::gettid() }
}
