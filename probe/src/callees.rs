//! Functions that the SIGTRAP handler calls.
//!
//! A breakpoint in one of them would be met inside the handler, again and again, until the stack ends. So
//! they must not be patched, should the program bring its own and have built them with sleds.

use std::ffi::CStr;

/// What the handler calls in libc, and what the compiler may call for it.
const CALLEES: &[&CStr] = &[
    c"getpid",
    c"gettid",
    c"sigaction",
    c"raise",
    c"__errno_location",
    c"memcpy",
    c"memmove",
    c"memset",
    c"memcmp",
    c"bcmp",
];

/// Their addresses, as this process resolves them.
pub(crate) fn of_handler() -> Vec<u64> {
    let address = |name: &&CStr| {
        // SAFETY: the name is a C string; looking it up runs no code of ours.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        (!found.is_null()).then_some(found as u64)
    };
    CALLEES.iter().filter_map(address).collect()
}
