//! Which process the sleds belong to. A fork of it runs CPU code and never patches.

use std::io;
use std::sync::atomic::{AtomicPtr, Ordering};

use hotsled_sys::fork::OwnerMark;

use crate::PatchError;

/// A pid may come again in another pid namespace; a mark may not.
struct Owner {
    pid: i32,
    mark: OwnerMark,
}

static OWNER: AtomicPtr<Owner> = AtomicPtr::new(std::ptr::null_mut());

fn owner() -> Option<&'static Owner> {
    // SAFETY: owners are published whole and never freed.
    unsafe { OWNER.load(Ordering::Acquire).as_ref() }
}

/// Makes the calling process the owner.
///
/// # Errors
/// When the mark cannot be mapped.
pub(crate) fn claim() -> io::Result<()> {
    let (pid, mark) = (hotsled_sys::pid(), OwnerMark::new()?);
    let owner = Box::leak(Box::new(Owner { pid, mark }));
    OWNER.store(owner, Ordering::Release);
    Ok(())
}

/// Whether the calling process is the owner. Async-signal-safe.
pub(crate) fn is_here() -> bool {
    owner().is_some_and(|o| o.mark.is_owner() && o.pid == hotsled_sys::pid())
}

/// # Errors
/// [`PatchError::Forked`] everywhere but in the owner.
pub(crate) fn check() -> Result<(), PatchError> {
    if is_here() {
        return Ok(());
    }
    let (pid, owner) = (hotsled_sys::pid(), owner().map_or(0, |o| o.pid));
    Err(PatchError::Forked { pid, owner })
}
