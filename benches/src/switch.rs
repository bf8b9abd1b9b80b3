//! One batch over many sites while threads call them.

use std::time::{Duration, Instant};

use crate::cell::{self, Ask};
use crate::load::under_load;
use crate::progress::Progress;
use crate::row::{Parts, Row, Switch, median};
use crate::scheme::Name;
use crate::xray;

/// What to measure.
#[derive(Debug)]
pub struct Choice {
    /// Sites of a batch.
    pub sites: Vec<usize>,
    /// Busy threads.
    pub busy: Vec<usize>,
    /// How.
    pub schemes: Vec<Name>,
    /// How long one cell may take beside setting up; each scheme switches there and back at least once.
    pub time: Duration,
}

/// Measures every scheme at every size and load, each cell in a process of its own, neighbours in time.
pub fn run(choice: &Choice) -> Vec<Row> {
    let cells = choice.sites.len() * choice.busy.len() * choice.schemes.len();
    let mut progress = Progress::new("switch", cells);
    let mut rows = Vec::with_capacity(cells);
    for &sites in &choice.sites {
        for &busy in &choice.busy {
            for &scheme in &choice.schemes {
                progress.step(&format!("{scheme}, {sites} sites, {busy} busy"));
                rows.push(Row::Switch(one(scheme, sites, busy, choice.time)));
            }
        }
    }
    rows
}

fn one(scheme: Name, sites: usize, busy: usize, time: Duration) -> Switch {
    let ask = Ask::Switch {
        scheme,
        sites,
        busy,
        time,
    };
    let cost = scheme.cap(sites).map_or_else(|| cell::ask(&ask), Err);
    let us = cost.as_ref().ok().map(|c: &Cost| c.us);
    Switch {
        scheme: scheme.to_string(),
        sites,
        busy,
        us,
        ns_per_site: us.map(|us| us * 1e3 / sites as f64),
        parts: cost.as_ref().ok().and_then(|c| c.parts),
        skipped: cost.err(),
    }
}

/// What one cell found.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Cost {
    us: f64,
    parts: Option<Parts>,
}

/// Measures one cell in this process.
///
/// # Errors
/// Why the scheme cannot be run here.
pub fn measure(scheme: Name, sites: usize, busy: usize, time: Duration) -> Result<Cost, String> {
    if scheme == Name::Xray {
        let us = median(xray::switch(sites, busy, time)?);
        return Ok(Cost { us, parts: None });
    }
    let scheme = scheme.make(sites)?;
    let flip = |on| {
        let start = Instant::now();
        let parts = scheme.switch(on);
        (start.elapsed().as_secs_f64() * 1e6, parts)
    };
    let there_and_back = || [true, false].map(flip);
    let flips = under_load(&*scheme, sites, busy, || {
        let _first = there_and_back(); // copies the pages
        repeated(time, there_and_back)
    });
    let (us, parts): (Vec<_>, Vec<_>) = flips.into_iter().flatten().unzip();
    Ok(Cost {
        us: median(us),
        parts: parts_of(&parts.into_iter().flatten().collect::<Vec<_>>()),
    })
}

/// What `work` gives, as often as there is time for, and once at least.
fn repeated<T>(time: Duration, mut work: impl FnMut() -> T) -> Vec<T> {
    const MOST: usize = 2000;
    let start = Instant::now();
    let mut results = vec![work()];
    while start.elapsed() < time && results.len() < MOST {
        results.push(work());
    }
    results
}

fn parts_of(all: &[Parts]) -> Option<Parts> {
    let syncs = all.first()?.syncs;
    let middle = |part: fn(&Parts) -> f64| median(all.iter().map(part).collect());
    Some(Parts {
        verify_us: middle(|p| p.verify_us),
        scan_us: middle(|p| p.scan_us),
        plan_us: middle(|p| p.plan_us),
        syncs,
    })
}
