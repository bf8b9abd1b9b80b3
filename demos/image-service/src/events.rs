//! What happened, as the timeline shows it.

use hotsled::{Event, EventKind};
use serde::Serialize;

/// One event of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Milliseconds since the service started.
    pub at_ms: u64,
    /// What happened, in one word.
    pub kind: Kind,
    /// Name of the device.
    pub device: String,
    /// What happened, in a sentence.
    pub text: String,
    /// Sleds that were switched.
    pub sites_patched: u64,
    /// How long switching them took, in microseconds.
    pub switch_us: f64,
    /// How long the wait for running calls took, in microseconds.
    pub drain_us: f64,
    /// Time from the plug to the device's first committed result, in milliseconds, once there is one.
    pub first_device_result_ms: Option<f64>,
    /// Chunks lost with the device and run again on the CPU.
    pub chunks_replayed: u64,
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
    /// The engine was switched on or off.
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

    fn of(kind: EventKind) -> Self {
        match kind {
            EventKind::Plug => Self::Plug,
            EventKind::Unplug => Self::Unplug,
            EventKind::Lost => Self::Lost,
            EventKind::Refused => Self::Refused,
            EventKind::Enabled | EventKind::Disabled | EventKind::Loaded | EventKind::Unloaded => {
                Self::Note
            }
        }
    }
}

impl Entry {
    /// An event of an engine that started `offset_ms` after the service.
    pub fn new(event: &Event, offset_ms: u64) -> Self {
        Self {
            at_ms: event.at_ms + offset_ms,
            kind: Kind::of(event.kind),
            device: event.device.clone(),
            text: sentence(event),
            sites_patched: event.sites_patched,
            switch_us: event.switch_us,
            drain_us: event.drain_us,
            first_device_result_ms: event.first_device_result_ms,
            chunks_replayed: event.chunks_replayed,
        }
    }
}

fn sentence(event: &Event) -> String {
    let what = match event.kind {
        EventKind::Plug => format!("{} bound", event.device),
        EventKind::Unplug => format!("{} unplugged", event.device),
        EventKind::Lost => format!("{} lost", event.device),
        EventKind::Refused => format!("{} refused", event.device),
        EventKind::Enabled => "engine switched on".to_owned(),
        EventKind::Disabled => "engine switched off".to_owned(),
        EventKind::Loaded => "object loaded".to_owned(),
        EventKind::Unloaded => "object unloaded".to_owned(),
    };
    let mut parts = vec![what];
    if !event.detail.is_empty() {
        parts.push(event.detail.clone());
    }
    parts.extend(figures(event));
    parts.join("; ")
}

fn figures(event: &Event) -> impl Iterator<Item = String> {
    let switched = (event.sites_patched > 0).then(|| {
        format!(
            "{} sleds switched in {:.0} µs",
            event.sites_patched, event.switch_us
        )
    });
    let drained = (event.drain_us > 0.0).then(|| format!("drained in {:.0} µs", event.drain_us));
    let first = event
        .first_device_result_ms
        .map(|ms| format!("first result after {ms:.1} ms"));
    let again = (event.chunks_replayed > 0)
        .then(|| format!("{} chunks run again on the CPU", event.chunks_replayed));
    [switched, drained, first, again].into_iter().flatten()
}
