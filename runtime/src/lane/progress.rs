//! What a lane has done, for others to read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counters of one lane.
pub(crate) struct Progress {
    pub round_trip: Duration,
    pub chunks: AtomicU64,
    pub replayed: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    first_result: OnceLock<Instant>,
}

impl Progress {
    pub(crate) fn new(round_trip: Duration) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            round_trip,
            chunks: zero(),
            replayed: zero(),
            bytes_in: zero(),
            bytes_out: zero(),
            first_result: OnceLock::new(),
        }
    }

    /// A chunk was committed.
    pub(crate) fn committed(&self, bytes_in: u64, bytes_out: u64) {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        self.first_result.get_or_init(Instant::now);
    }

    /// When the first result was committed.
    pub(crate) fn first_result(&self) -> Option<Instant> {
        self.first_result.get().copied()
    }
}
