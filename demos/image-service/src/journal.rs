//! What happened, in order, for the timeline: the last events and the throughput of two minutes.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::Serialize;

use crate::view::Sample;

const EVENTS: usize = 100;
const SAMPLES: usize = 240;

/// One event of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Milliseconds since the service started.
    pub at_ms: u64,
    /// What happened, in one word.
    pub kind: Kind,
    /// What happened, in a sentence.
    pub text: String,
    /// Sleds that were switched.
    pub sites_patched: Option<u64>,
    /// How long switching them took, in microseconds.
    pub switch_us: Option<f64>,
    /// How long the wait for running calls took, in microseconds.
    pub drain_us: Option<f64>,
    /// Time from the plug to the device's first committed result, in milliseconds.
    pub first_device_result_ms: Option<f64>,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A device was bound.
    Plug,
    /// A device went gracefully.
    Unplug,
    /// A device went by surprise.
    Lost,
    /// A device was refused.
    Refused,
    /// Anything else worth a line.
    Note,
}

impl Kind {
    /// The word, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plug => "plug",
            Self::Unplug => "unplug",
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::Note => "note",
        }
    }
}

/// The latest entries and samples.
#[derive(Debug, Default)]
pub struct Journal {
    events: Mutex<VecDeque<Entry>>,
    samples: Mutex<VecDeque<Sample>>,
}

impl Journal {
    /// Adds an event.
    pub fn add(&self, entry: Entry) {
        push(&mut self.events.lock(), entry, EVENTS);
    }

    /// Adds a sample.
    pub fn sample(&self, sample: Sample) {
        push(&mut self.samples.lock(), sample, SAMPLES);
    }

    /// The events, oldest first.
    pub fn events(&self) -> Vec<Entry> {
        self.events.lock().iter().cloned().collect()
    }

    /// The samples, oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().iter().copied().collect()
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}
