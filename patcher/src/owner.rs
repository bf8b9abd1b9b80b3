//! Which process the sleds belong to. A fork of it runs CPU code and never patches.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU8, Ordering};

use hotsled_sys::map::Mapping;
use hotsled_sys::page::PageLen;

use crate::PatchError;

static PID: AtomicI32 = AtomicI32::new(0);
/// One byte that the kernel clears in every child (MADV_WIPEONFORK): a pid may come again in another pid
/// namespace, this byte may not.
static MARK: AtomicPtr<AtomicU8> = AtomicPtr::new(std::ptr::null_mut());

/// Makes the calling process the owner.
///
/// # Errors
/// When the mark cannot be mapped.
pub(crate) fn claim() -> io::Result<()> {
    let page = Mapping::anonymous(PageLen::holding(1))?;
    page.wipe_on_fork()?;
    let mark = page.leak().cast::<AtomicU8>();
    // SAFETY: the page is zeroed, never unmapped, and reached only as this atomic.
    unsafe { &*mark }.store(1, Ordering::Release);
    PID.store(hotsled_sys::pid(), Ordering::Relaxed);
    MARK.store(mark, Ordering::Release);
    Ok(())
}

/// Whether the calling process is the owner. Async-signal-safe.
pub(crate) fn is_here() -> bool {
    // SAFETY: a mark is published whole and never unmapped.
    let mark = unsafe { MARK.load(Ordering::Acquire).as_ref() };
    mark.is_some_and(|m| m.load(Ordering::Acquire) == 1)
        && hotsled_sys::pid() == PID.load(Ordering::Relaxed)
}

/// # Errors
/// [`PatchError::Forked`] everywhere but in the owner.
pub(crate) fn check() -> Result<(), PatchError> {
    if is_here() {
        return Ok(());
    }
    let (pid, owner) = (hotsled_sys::pid(), PID.load(Ordering::Relaxed));
    Err(PatchError::Forked { pid, owner })
}
