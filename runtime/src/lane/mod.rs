//! The thread that feeds one device. `README.md` beside this file has states, steps and proof.

mod accumulate;
mod buffers;
mod check;
mod chunk;
mod counter;
mod job;
mod modules;
mod progress;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hotsled_abi::Generation;
use hotsled_link::{DeviceInfo, Health, LinkError, Queue};

pub(crate) use counter::Counter;
pub(crate) use modules::Modules;
pub(crate) use progress::Progress;

use buffers::Buffers;

/// One device chunk in so many is also run on the CPU before its commit; 0: none.
static VERIFY_EVERY: AtomicU64 = AtomicU64::new(0);

pub(crate) fn set_verify(every: u64) {
    VERIFY_EVERY.store(every, Ordering::Relaxed);
}

/// What a lane is made of.
pub(crate) struct LaneSetup {
    pub generation: Generation,
    pub queue: Queue,
    pub info: DeviceInfo,
    /// What the device has lowered.
    pub modules: Arc<Modules>,
    /// Longest wait for one chunk.
    pub chunk_limit: Duration,
    /// Called by the lane when it finds the link down.
    pub when_down: Box<dyn Fn() + Send>,
}

/// A running lane; ends when stopped.
pub(crate) struct Lane {
    counter: Arc<Counter>,
    progress: Arc<Progress>,
    health: Health,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    /// Measures the way to the device and back, and starts the thread.
    ///
    /// # Errors
    /// When the device does not answer.
    pub(crate) fn start(mut setup: LaneSetup) -> Result<Self, LinkError> {
        let round_trip = measure(&mut setup.queue)?;
        let counter = Arc::new(Counter::new(setup.modules.clone()));
        let progress = Arc::new(Progress::new(round_trip));
        let health = setup.queue.health().clone();
        let worker = Worker {
            buffers: Buffers::default(),
            queue: setup.queue,
            modules: setup.modules,
            info: setup.info,
            chunk_limit: setup.chunk_limit,
            when_down: setup.when_down,
            round_trip,
            counter: counter.clone(),
            progress: progress.clone(),
            since_verified: 0,
        };
        let name = format!("hotsled-lane-{}", setup.generation.0);
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || worker.run());
        let thread = thread.map_err(|source| LinkError::Os {
            what: "starting the lane's thread",
            source,
        })?;
        Ok(Self {
            counter,
            progress,
            health,
            thread: Some(thread),
        })
    }

    /// Where dispatch hands in grains.
    pub(crate) fn counter(&self) -> &Counter {
        &self.counter
    }

    pub(crate) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Ends the lane: chunks in flight are committed, or go back to their calls if the link is down;
    /// the rest of a call stays with the CPU. Returns when nothing of the lane runs any more.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.counter.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(health = ?self.health.down(), "a lane panicked");
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.end();
    }
}

/// The shortest of a few empty fences.
fn measure(queue: &mut Queue) -> Result<Duration, LinkError> {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        let fence = queue.fence()?;
        queue.wait(fence, began + Duration::from_secs(2))?;
        best = best.min(began.elapsed());
    }
    Ok(best)
}

/// What the lane's thread owns.
struct Worker {
    queue: Queue,
    buffers: Buffers,
    modules: Arc<Modules>,
    info: DeviceInfo,
    chunk_limit: Duration,
    when_down: Box<dyn Fn() + Send>,
    round_trip: Duration,
    counter: Arc<Counter>,
    progress: Arc<Progress>,
    since_verified: u64,
}

impl Worker {
    fn run(mut self) {
        while let Some(job) = self.counter.wait() {
            self.serve(job);
            if self.queue.health().down().is_some() {
                (self.when_down)();
            }
        }
    }

    /// Whether the chunk at hand is one that the CPU checks.
    fn verify_now(&mut self) -> bool {
        let every = VERIFY_EVERY.load(Ordering::Relaxed);
        self.since_verified += 1;
        let now = every != 0 && self.since_verified >= every;
        if now {
            self.since_verified = 0;
        }
        now
    }
}
