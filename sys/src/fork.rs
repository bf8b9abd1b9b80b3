//! Hooks around fork(3).

use std::io;

/// Registers what runs before a fork in the parent, after it in the parent, and after it in the child.
/// `_Fork` and raw clone run none of these.
///
/// # Errors
/// What pthread_atfork(3) reports.
///
/// # Safety
/// The hooks run with the forking thread's locks as they are; `child` may call only
/// async-signal-safe functions.
pub unsafe fn at_fork(
    prepare: unsafe extern "C" fn(),
    parent: unsafe extern "C" fn(),
    child: unsafe extern "C" fn(),
) -> io::Result<()> {
    // SAFETY: the caller vouches for the hooks.
    let code = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(code))
    }
}
