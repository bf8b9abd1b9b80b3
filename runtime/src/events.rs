//! What happened, in order.

use std::fmt;

use hotsled_abi::Generation;
use miniserde::{Deserialize, Serialize};

use crate::switch::SwitchReport;

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A device was bound.
    #[serde(rename = "plug")]
    Plug,
    /// A device left in good order.
    #[serde(rename = "unplug")]
    Unplug,
    /// A device went without asking, hung, or could not be trusted.
    #[serde(rename = "lost")]
    Lost,
    /// A device was not used.
    #[serde(rename = "refused")]
    Refused,
    /// The engine was switched on.
    #[serde(rename = "enabled")]
    Enabled,
    /// The engine was switched off.
    #[serde(rename = "disabled")]
    Disabled,
    /// An object with sections was loaded.
    #[serde(rename = "loaded")]
    Loaded,
    /// An object with sections was unloaded.
    #[serde(rename = "unloaded")]
    Unloaded,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Number of the event, from 1.
    pub seq: u64,
    /// Milliseconds since the engine started.
    pub at_ms: u64,
    /// What happened.
    pub kind: EventKind,
    /// To which device; empty for the engine itself.
    pub device: String,
    /// To which generation; 0 if it never had one.
    pub generation: u64,
    /// Sleds rewritten.
    pub sites_patched: u64,
    /// Microseconds that took.
    pub switch_us: f64,
    /// Microseconds until nobody used the device any more.
    pub drain_us: f64,
    /// Milliseconds from the plug to the device's first committed result, once there is one.
    pub first_device_result_ms: Option<f64>,
    /// Chunks lost with the device and run again on the CPU.
    pub chunks_replayed: u64,
    /// In words.
    pub detail: String,
}

impl Event {
    pub(crate) fn new(kind: EventKind, device: &str, generation: Generation) -> Self {
        Self {
            seq: 0,
            at_ms: 0,
            kind,
            device: device.to_owned(),
            generation: generation.0,
            sites_patched: 0,
            switch_us: 0.0,
            drain_us: 0.0,
            first_device_result_ms: None,
            chunks_replayed: 0,
            detail: String::new(),
        }
    }

    pub(crate) fn switched(self, report: SwitchReport) -> Self {
        let mut event = self;
        if report.refused > 0 {
            let n = report.refused;
            event = event.detail(format!("{n} sleds hold foreign bytes and were left alone"));
        }
        if report.handler_reinstalled {
            event = event.detail("the SIGTRAP handler was replaced and installed anew".to_owned());
        }
        if let Some(tracer) = report.tracer {
            event = event.detail(format!("process {tracer} traces this one now"));
        }
        Self {
            sites_patched: report.sites_patched,
            switch_us: report.micros,
            ..event
        }
    }

    pub(crate) fn drained(self, micros: f64) -> Self {
        Self {
            drain_us: micros,
            ..self
        }
    }

    /// Adds a part to the words.
    pub(crate) fn detail(mut self, part: String) -> Self {
        if !self.detail.is_empty() && !part.is_empty() {
            self.detail.push_str("; ");
        }
        self.detail.push_str(&part);
        self
    }
}

impl EventKind {
    /// The word for people and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plug => "plug",
            Self::Unplug => "unplug",
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Loaded => "loaded",
            Self::Unloaded => "unloaded",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at_ms as f64 / 1e3;
        write!(
            f,
            "{seconds:>9.3} s  {:<8} {}",
            self.kind.name(),
            self.device
        )?;
        if self.sites_patched > 0 {
            let (sites, took) = (self.sites_patched, self.switch_us);
            write!(f, ", {sites} sleds in {took:.0} us")?;
        }
        if self.chunks_replayed > 0 {
            write!(f, ", {} chunks run again", self.chunks_replayed)?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}
