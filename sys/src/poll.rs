//! Sleeping until one of several descriptors has something to say.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout};

/// Sleeps until any descriptor is readable or hung up, until `deadline`, or until a signal; without a
/// deadline it costs nothing while nothing happens.
pub fn any_readable(fds: &[BorrowedFd<'_>], deadline: Option<Instant>) {
    let mut polled: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    let timeout = match deadline {
        None => PollTimeout::NONE,
        Some(at) => {
            let millis = at.saturating_duration_since(Instant::now()).as_millis() + 1;
            PollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
        }
    };
    // An error is treated as readiness: the caller looks at everything anyway.
    let _ = nix::poll::poll(&mut polled, timeout);
}
