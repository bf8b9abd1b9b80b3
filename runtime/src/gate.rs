//! Who may touch a call's arguments.
//!
//! The arguments live on the caller's stack, so nobody may use them after the caller has returned.
//! A helper task may start late, even after that. Hence a helper *enters* before it touches
//! anything, and the caller *closes* before it returns:
//!
//! - open, n inside: `enter` makes it n + 1; `leave` makes it n - 1.
//! - `close` succeeds only with nobody inside, in one atomic step, and is final.
//! - closed: `enter` fails, and the helper goes away having touched only the gate, which it owns a
//!   share of.
//!
//! So the caller waits for helpers that have begun, never for one that has not.

use std::time::Duration;

use parking_lot::Condvar;

use crate::sync::{AtomicU32, Mutex, Ordering};

const CLOSED: u32 = 1 << 31;

/// Counts who is inside; closed once and for all by the caller.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    inside: AtomicU32,
    bell: Bell,
}

/// Wakes the caller when somebody leaves or hands work back.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    condvar: Condvar,
}

/// Being inside; leaving is by drop.
#[must_use = "leaves the gate when dropped"]
pub(crate) struct Inside<'a>(&'a Gate);

/// What came of an attempt to close.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Close {
    /// Nobody is inside and nobody will be.
    Closed,
    /// This many are inside.
    Busy(u32),
}

impl Gate {
    /// Enters unless the gate is closed.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        self.add().then(|| Inside(self))
    }

    /// Enters without a guard; [`Gate::leave`] must follow exactly once.
    pub(crate) fn add(&self) -> bool {
        // Acquire pairs with nothing but the call's construction, which Arc already orders.
        let step = |n: u32| (n & CLOSED == 0).then_some(n + 1);
        self.inside
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, step)
            .is_ok()
    }

    /// Leaves; what was done inside happens before a successful close.
    pub(crate) fn leave(&self) {
        // Release pairs with the Acquire of `close`.
        let before = self.inside.fetch_sub(1, Ordering::Release);
        debug_assert!(before & !CLOSED > 0, "leave without enter");
        self.ring();
    }

    /// Closes if nobody is inside.
    pub(crate) fn close(&self) -> Close {
        // Acquire pairs with the Release of every `leave`.
        match self
            .inside
            .compare_exchange(0, CLOSED, Ordering::Acquire, Ordering::Acquire)
        {
            Ok(_) | Err(CLOSED) => Close::Closed,
            Err(n) => Close::Busy(n),
        }
    }

    /// Wakes the waiting caller.
    pub(crate) fn ring(&self) {
        *self.bell.rung.lock() = true;
        self.bell.condvar.notify_one();
    }

    /// Sleeps until the bell has rung since the last wait, or for `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        let mut rung = self.bell.rung.lock();
        if !*rung {
            self.bell.condvar.wait_for(&mut rung, limit);
        }
        *rung = false;
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_waits_for_those_inside_and_is_final() {
        let gate = Gate::default();
        let inside = gate.enter().unwrap();
        assert_eq!(gate.close(), Close::Busy(1));
        drop(inside);
        assert_eq!(gate.close(), Close::Closed);
        assert!(gate.enter().is_none() && !gate.add());
    }
}
