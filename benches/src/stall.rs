//! What a caller waits while the sites he calls are switched every two milliseconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::cell::{self, Ask};
use crate::load::Stop;
use crate::progress::Progress;
use crate::row::{Row, Stall, Waits};
use crate::scheme::{Name, Scheme};
use crate::{tsc, xray};

/// Between two flips.
pub const GAP: Duration = Duration::from_millis(2);

/// Measures the control and every scheme, each in a process of its own.
pub fn run(schemes: &[Name], sites: usize, time: Duration) -> Vec<Row> {
    let schemes = std::iter::once(None).chain(schemes.iter().copied().map(Some));
    let schemes: Vec<_> = schemes.collect();
    let mut progress = Progress::new("stall", schemes.len());
    let one = |scheme: Option<Name>| {
        let name = scheme.map_or("none".into(), |s| s.to_string());
        progress.step(&name);
        Row::Stall(row(name, scheme, sites, time))
    };
    schemes.into_iter().map(one).collect()
}

fn row(name: String, scheme: Option<Name>, sites: usize, time: Duration) -> Stall {
    let ask = Ask::Stall {
        scheme,
        sites,
        time,
    };
    let cap = scheme.and_then(|s| s.cap(sites));
    let seen: Result<Seen, _> = cap.map_or_else(|| cell::ask(&ask), Err);
    let (seen, skipped) = match seen {
        Ok(seen) => (Some(seen), None),
        Err(why) => (None, Some(why)),
    };
    Stall {
        scheme: name,
        sites,
        flips: seen.as_ref().map_or(0, |s| s.flips),
        calls: seen.as_ref().map_or(0, |s| s.calls),
        waits: seen.map(|s| s.waits),
        skipped,
    }
}

/// What one scheme showed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seen {
    flips: u64,
    calls: u64,
    waits: Waits,
}

impl Seen {
    /// From latencies in ticks of the time-stamp counter.
    pub fn new(flips: u64, ticks: &Histogram<u64>) -> Self {
        let per_ns = tsc::ticks_per_ns();
        let at = |quantile| ticks.value_at_quantile(quantile) as f64 / per_ns;
        Self {
            flips,
            calls: ticks.len(),
            waits: Waits {
                p50_ns: at(0.5),
                p99_ns: at(0.99),
                p99_9_ns: at(0.999),
                p99_99_ns: at(0.9999),
            },
        }
    }
}

/// An empty histogram with three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

/// Measures one scheme in this process; without one, a caller of sleds that nobody switches.
///
/// # Errors
/// Why the scheme cannot be run here.
pub fn measure(scheme: Option<Name>, sites: usize, time: Duration) -> Result<Seen, String> {
    if scheme == Some(Name::Xray) {
        return xray::stall(sites, time);
    }
    let made = scheme.unwrap_or(Name::MprotectPerSite).make(sites)?;
    let stop = AtomicBool::new(false);
    Ok(std::thread::scope(|scope| {
        let caller = scope.spawn(|| latencies(&*made, sites, &stop));
        let running = Stop(&stop);
        let start = Instant::now();
        let mut flips = 0;
        while start.elapsed() < time {
            if scheme.is_some() {
                made.switch(flips % 2 == 0);
                flips += 1;
            }
            std::thread::sleep(GAP);
        }
        drop(running);
        let ticks = caller.join().expect("the caller only calls");
        Seen::new(flips, &ticks)
    }))
}

fn latencies(scheme: &dyn Scheme, sites: usize, stop: &AtomicBool) -> Histogram<u64> {
    let mut ticks = histogram();
    while !stop.load(Ordering::Relaxed) {
        for site in 0..sites {
            let start = tsc::now();
            scheme.call(site);
            ticks += tsc::now() - start;
        }
    }
    ticks
}
