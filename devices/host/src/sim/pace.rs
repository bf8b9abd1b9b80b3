//! The modelled link, in real time: a copy takes latency plus bytes over bandwidth, wall clock.

use std::time::{Duration, Instant};

/// Below this a sleep overshoots more than it waits; the rest is spun.
const SLEEPABLE: Duration = Duration::from_micros(200);

/// Bandwidth and latency.
pub(crate) struct Pace {
    bandwidth: u64,
    latency: Duration,
}

/// Holds the command until its modelled time has passed.
pub(crate) struct Until(Instant);

impl Pace {
    pub(crate) fn new(bandwidth: u64, latency: Duration) -> Self {
        Self { bandwidth, latency }
    }

    /// A copy of so many bytes; the real copy runs within the modelled time.
    pub(crate) fn copy(&self, bytes: u64) -> Until {
        let nanos = (u128::from(bytes) * 1_000_000_000)
            .checked_div(u128::from(self.bandwidth))
            .unwrap_or(0);
        Until(
            Instant::now()
                + self.latency
                + Duration::from_nanos(nanos.min(u128::from(u64::MAX)) as u64),
        )
    }

    /// A launch: its latency only; computing takes what it takes.
    pub(crate) fn launch(&self) -> Until {
        Until(Instant::now() + self.latency)
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        loop {
            let left = self.0.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            if left > SLEEPABLE {
                std::thread::sleep(left - SLEEPABLE / 2);
            } else {
                std::hint::spin_loop();
            }
        }
    }
}
