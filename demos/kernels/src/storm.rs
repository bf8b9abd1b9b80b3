//! Every kernel called again and again while a device is plugged, unplugged and killed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hotsled::Engine;
use serde::Serialize;

use crate::kernel::{Entry, Kernel};
use crate::target::Target;

/// Threads that call.
const CALLERS: usize = 2;
/// How long one step of the storm may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one kernel went through.
#[derive(Clone, Debug, Serialize)]
pub struct StormRow {
    /// The kernel.
    pub kernel: &'static str,
    /// Runs of it.
    pub runs: u64,
    /// Runs with a wrong result.
    pub wrong: u64,
    /// Calls of its sections of which the device committed a part.
    pub calls_device: u64,
    /// Chunks lost with the device and run again on the CPU.
    pub chunks_replayed: u64,
    /// The first wrong result.
    pub note: Option<String>,
}

/// Calls `entries` while the device of `on` comes and goes `rounds` times, every other time by a kill.
///
/// # Errors
/// The device does not come or does not go.
pub fn storm(
    entries: &[&'static Entry],
    (on, arguments): (Target, &[String]),
    rounds: usize,
    engine: &Engine,
) -> Result<Vec<StormRow>, String> {
    let states: Vec<State> = entries.iter().map(|e| State::new(e, engine)).collect();
    let over = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (states, over) = (&states, &over);
            scope.spawn(move || call(states, caller * states.len() / CALLERS, over));
        }
        let plug = || {
            let name = on.plug(engine, arguments)?;
            name.ok_or_else(|| "a storm needs a device".to_owned())
        };
        let done = (0..rounds).try_for_each(|n| round(&states, &plug()?, n % 2 == 0, engine));
        over.store(true, Relaxed);
        done
    });
    done?;
    Ok(states.into_iter().map(|s| s.row(engine)).collect())
}

struct State {
    entry: &'static Entry,
    reference: Box<dyn Kernel>,
    runs: AtomicU64,
    wrong: AtomicU64,
    first: std::sync::OnceLock<String>,
    device_before: u64,
    replayed_before: u64,
}

impl State {
    fn new(entry: &'static Entry, engine: &Engine) -> Self {
        let mut reference = (entry.new)(entry.small);
        reference.rayon();
        let before = entry.section_counts(engine);
        Self {
            entry,
            reference,
            runs: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            first: std::sync::OnceLock::new(),
            device_before: before.calls_device,
            replayed_before: before.chunks_replayed,
        }
    }

    fn run(&self) {
        let mut problem = (self.entry.new)(self.entry.small);
        problem.section();
        if let Err(why) = self.entry.check(&*problem, &*self.reference) {
            self.wrong.fetch_add(1, Relaxed);
            let _ = self.first.set(why);
        }
        self.runs.fetch_add(1, Relaxed);
    }

    fn row(self, engine: &Engine) -> StormRow {
        let now = self.entry.section_counts(engine);
        StormRow {
            kernel: self.entry.name,
            runs: self.runs.into_inner(),
            wrong: self.wrong.into_inner(),
            calls_device: now.calls_device - self.device_before,
            chunks_replayed: now.chunks_replayed - self.replayed_before,
            note: self.first.into_inner(),
        }
    }
}

/// Runs one kernel after the other, from `first` on and around.
fn call(states: &[State], first: usize, over: &AtomicBool) {
    for state in states.iter().cycle().skip(first) {
        if over.load(Relaxed) {
            return;
        }
        state.run();
    }
}

/// The device has come, every kernel begins and ends a run, the device goes while others are under way.
fn round(states: &[State], device: &str, kill: bool, engine: &Engine) -> Result<(), String> {
    let before: Vec<u64> = states.iter().map(|s| s.runs.load(Relaxed)).collect();
    // Two runs more, since both callers may have been within one each.
    let ran = |(s, before): (&State, &u64)| s.runs.load(Relaxed) > before + CALLERS as u64;
    wait("a run of every kernel", || {
        states.iter().zip(&before).all(ran)
    })?;
    if kill {
        engine.kill(device).map_err(|e| e.to_string())?;
    } else {
        engine.unplug(Some(device)).map_err(|e| e.to_string())?;
    }
    wait("the device to go", || engine.status().devices.is_empty())
}

fn wait(what: &str, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {what}"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
