//! What the engine's threads share and status shows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::Mutex;

use crate::events::{Event, EventKind};
use crate::lane::Progress;
use crate::status::{DeviceStatus, Totals};

/// Why an engine is off for ever.
pub(crate) const OFF: &str = "HOTSLED=off";

/// Events kept; older ones are dropped.
const KEEP: usize = 1000;

/// An event, and the lane whose first result completes it.
struct Recorded {
    event: Event,
    at: Instant,
    lane: Option<Arc<Progress>>,
}

/// A device as the manager saw it last, and its lane, which counts on.
pub(crate) struct Seen {
    pub status: DeviceStatus,
    pub lane: Option<Arc<Progress>>,
}

/// Written by the manager, read by anybody.
pub(crate) struct Shared {
    pub started: Instant,
    off: Mutex<Option<&'static str>>,
    devices: Mutex<Vec<Seen>>,
    events: Mutex<VecDeque<Recorded>>,
    totals: Mutex<Totals>,
}

impl Shared {
    pub(crate) fn new(off: Option<&'static str>) -> Self {
        Self {
            started: Instant::now(),
            off: Mutex::new(off),
            devices: Mutex::default(),
            events: Mutex::default(),
            totals: Mutex::default(),
        }
    }

    /// Why the engine is off, if it is.
    pub(crate) fn off(&self) -> Option<&'static str> {
        *self.off.lock()
    }

    pub(crate) fn set_off(&self, why: Option<&'static str>) {
        *self.off.lock() = why;
    }

    pub(crate) fn set_devices(&self, devices: Vec<Seen>) {
        *self.devices.lock() = devices;
    }

    pub(crate) fn devices(&self) -> Vec<DeviceStatus> {
        self.devices.lock().iter().map(Seen::counted).collect()
    }

    pub(crate) fn totals(&self) -> Totals {
        *self.totals.lock()
    }

    /// Numbers, dates and keeps an event.
    pub(crate) fn record(&self, mut event: Event, lane: Option<Arc<Progress>>) {
        event.at_ms = self.started.elapsed().as_millis() as u64;
        let mut totals = self.totals.lock();
        totals.events += 1;
        event.seq = totals.events;
        match event.kind {
            EventKind::Plug => totals.plugs += 1,
            EventKind::Unplug => totals.unplugs += 1,
            EventKind::Lost => totals.losses += 1,
            EventKind::Refused => totals.refusals += 1,
            EventKind::Enabled | EventKind::Disabled | EventKind::Loaded | EventKind::Unloaded => {}
        }
        if event.kind != EventKind::Plug {
            let replayed = lane
                .as_ref()
                .map_or(0, |l| l.replayed.load(Ordering::Relaxed));
            event.chunks_replayed = replayed;
        }
        let mut events = self.events.lock();
        events.push_back(Recorded {
            event,
            at: Instant::now(),
            lane,
        });
        if events.len() > KEEP {
            events.pop_front();
        }
    }

    /// Events from number `after` + 1 on, with what is known of them by now.
    pub(crate) fn events(&self, after: u64) -> Vec<Event> {
        let events = self.events.lock();
        events
            .iter()
            .filter(|r| r.event.seq > after)
            .map(Recorded::complete)
            .collect()
    }
}

impl Seen {
    /// With what its lane has done by now.
    fn counted(&self) -> DeviceStatus {
        let mut status = self.status.clone();
        if let Some(lane) = &self.lane {
            status.chunks = lane.chunks.load(Ordering::Relaxed);
            status.bytes_in = lane.bytes_in.load(Ordering::Relaxed);
            status.bytes_out = lane.bytes_out.load(Ordering::Relaxed);
        }
        status
    }
}

impl Recorded {
    fn complete(&self) -> Event {
        let mut event = self.event.clone();
        if event.kind == EventKind::Plug {
            let first = self.lane.as_ref().and_then(|l| l.first_result());
            event.first_device_result_ms =
                first.map(|at| at.saturating_duration_since(self.at).as_secs_f64() * 1e3);
        }
        event
    }
}
