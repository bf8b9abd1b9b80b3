//! Functions that the patcher itself calls inside a session.
//!
//! A session blocks all signals of its thread, and the kernel kills a process whose thread meets a
//! breakpoint that way. So what a session calls must not be patched, should the program bring its own
//! (an allocator, say) and have built it with sleds.

use std::ffi::CStr;

/// What the patcher and the parts of std it uses call in libc.
const CALLEES: &[&CStr] = &[
    c"malloc",
    c"calloc",
    c"realloc",
    c"free",
    c"posix_memalign",
    c"aligned_alloc",
    c"memalign",
    c"memcpy",
    c"memmove",
    c"memset",
    c"memcmp",
    c"bcmp",
    c"strlen",
    c"memchr",
    c"memrchr",
    c"read",
    c"pread64",
    c"pwrite64",
    c"write",
    c"open",
    c"open64",
    c"openat",
    c"close",
    c"opendir",
    c"readdir64",
    c"closedir",
    c"fstat64",
    c"statx",
    c"lseek64",
    c"dirfd",
    c"syscall",
    c"getpid",
    c"gettid",
    c"sigaction",
    c"pthread_sigmask",
    c"sigfillset",
    c"nanosleep",
    c"clock_nanosleep",
    c"clock_gettime",
    c"__errno_location",
    c"fcntl",
    c"fcntl64",
];

/// Their addresses, as this process resolves them.
pub(crate) fn callees() -> Vec<u64> {
    let address = |name: &&CStr| {
        // SAFETY: the name is a C string; looking it up runs no code of ours.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        (!found.is_null()).then_some(found as u64)
    };
    CALLEES.iter().filter_map(address).collect()
}
