//! What must hold of the process's threads before breakpoints are set.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotsled_sys::threads::{self, Thread};

use crate::{PatchError, Traced, trap};

/// How long a thread may block SIGTRAP while it is created or switches masks.
const TRANSIENT: Duration = Duration::from_millis(200);

/// Whether the SIGTRAP handler has been installed anew; that is done once.
static REINSTALLED: AtomicBool = AtomicBool::new(false);

/// # Errors
/// A tracer, unless it is to be patched under.
pub(crate) fn untraced(traced: Traced) -> Result<(), PatchError> {
    match tracer()? {
        Some(tracer) if traced == Traced::Refuse => Err(PatchError::Traced { tracer }),
        _ => Ok(()),
    }
}

/// The process that traces this one.
///
/// # Errors
/// When `/proc` cannot be read.
pub(crate) fn tracer() -> Result<Option<i32>, PatchError> {
    threads::tracer().map_err(PatchError::Proc)
}

/// No thread may be killed by our breakpoints: nobody blocks SIGTRAP, and its action is ours. Whether the
/// handler had to be installed anew. A thread that blocks SIGTRAP after this look is the remaining
/// window; `README.md` says so.
///
/// # Errors
/// [`PatchError::TrapBlocked`] and [`PatchError::HandlerLost`].
pub(crate) fn traps_are_ours() -> Result<bool, PatchError> {
    let blocking = blocking_for_long().map_err(PatchError::Proc)?;
    if !blocking.is_empty() {
        return Err(PatchError::TrapBlocked(blocking));
    }
    let (address, ours) = trap::installed().map_err(PatchError::Handler)?;
    if ours {
        return Ok(false);
    }
    if REINSTALLED.swap(true, Ordering::AcqRel) {
        return Err(PatchError::HandlerLost { address });
    }
    trap::install().map_err(PatchError::Handler)?;
    Ok(true)
}

/// Threads that block SIGTRAP, looked at again for a while: a thread that is just being created blocks
/// every signal until libc lets it run.
fn blocking_for_long() -> io::Result<Vec<Thread>> {
    let deadline = Instant::now() + TRANSIENT;
    loop {
        let blocking = threads::blocking(libc::SIGTRAP)?;
        if blocking.is_empty() || Instant::now() >= deadline {
            return Ok(blocking);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
