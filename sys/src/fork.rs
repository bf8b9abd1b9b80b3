//! Hooks around fork(3), and telling a process from its forks.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::map::Mapping;
use crate::page::PageLen;

/// Tells the process that made it from every fork of it, also from one that ran no hooks.
///
/// One byte that the kernel clears in each child (MADV_WIPEONFORK, madvise(2)).
#[derive(Debug)]
pub struct OwnerMark(&'static AtomicU8);

impl OwnerMark {
    /// A mark of this process.
    ///
    /// # Errors
    /// What mmap(2) and madvise(2) report.
    pub fn new() -> io::Result<Self> {
        let page = Mapping::anonymous(PageLen::holding(1))?;
        page.wipe_on_fork()?;
        // SAFETY: the page is zeroed, never unmapped, and reached only through this atomic.
        let mark = unsafe { AtomicU8::from_ptr(page.leak()) };
        mark.store(1, Ordering::Release);
        Ok(Self(mark))
    }

    /// Whether this is the process that made the mark. Async-signal-safe.
    pub fn is_owner(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }
}

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
