//! What has happened so far.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters that every actor adds to; also from signal handlers.
        pub struct Tally {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Serialize)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The tally of this process.
        pub static TALLY: Tally = Tally { $($name: Counter(AtomicU64::new(0)),)* };

        impl Tally {
            /// Reads every counter.
            pub fn counts(&self) -> Counts {
                Counts { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

/// One counter.
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

tally! {
    /// Sites switched.
    toggles,
    /// Sessions that switched something.
    sessions,
    /// Sessions refused because a thread blocked SIGTRAP at that moment.
    held_up,
    /// Sites refused because they held a foreign breakpoint.
    refused,
    /// Calls that gave the old result.
    old,
    /// Calls that gave the new result.
    new,
    /// Signals whose handlers called sleds.
    signals,
    /// Children that ran their CPU code.
    forks,
    /// Children that found a breakpoint which the fork had caught.
    forks_in_session,
    /// Times the shared object was loaded, run and unloaded.
    objects,
    /// Foreign breakpoints set and taken away.
    breakpoints,
    /// Threads that came and went.
    threads,
    /// Looks for a page that is writable and executable.
    scans,
}

impl Counts {
    /// Calls of sleds.
    pub fn calls(&self) -> u64 {
        self.old + self.new
    }
}
