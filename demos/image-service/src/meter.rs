//! What the service has done: counts that requests add to and the live view reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;

/// Running counts of filter requests.
#[derive(Debug, Default)]
pub struct Meter {
    started: AtomicU64,
    served: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    filter_us: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that have begun and not ended.
    pub running: u64,
    /// Requests answered with a picture.
    pub served: u64,
    /// Requests refused as the client's mistake (4xx), or because too many waited (503).
    pub refused: u64,
    /// Requests that failed here (500).
    pub failed: u64,
    /// Requests whose client left before the answer.
    pub dropped: u64,
    /// Time spent in filters, all requests together.
    pub filter_us: u64,
}

/// One running request; counted as dropped unless it is ended.
#[must_use]
pub struct Running<'a> {
    meter: &'a Meter,
    ended: bool,
}

impl Meter {
    /// A request begins.
    pub fn begin(&self) -> Running<'_> {
        self.started.fetch_add(1, Relaxed);
        Running {
            meter: self,
            ended: false,
        }
    }

    /// A filter ran this long.
    pub fn filtered(&self, time: Duration) {
        self.filter_us.fetch_add(time.as_micros() as u64, Relaxed);
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        let served = self.served.load(Relaxed);
        let refused = self.refused.load(Relaxed);
        let failed = self.failed.load(Relaxed);
        let dropped = self.dropped.load(Relaxed);
        let ended = served + refused + failed + dropped;
        Counts {
            running: self.started.load(Relaxed).saturating_sub(ended),
            served,
            refused,
            failed,
            dropped,
            filter_us: self.filter_us.load(Relaxed),
        }
    }
}

impl Running<'_> {
    /// The request is answered.
    pub fn end(mut self, status: StatusCode) {
        self.ended = true;
        let count = match status {
            StatusCode::SERVICE_UNAVAILABLE => &self.meter.refused,
            status if status.is_success() => &self.meter.served,
            status if status.is_client_error() => &self.meter.refused,
            _ => &self.meter.failed,
        };
        count.fetch_add(1, Relaxed);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.meter.dropped.fetch_add(1, Relaxed);
        }
    }
}
