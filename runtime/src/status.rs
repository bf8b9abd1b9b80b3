//! What an operator asks first.

use std::fmt;

use crate::events::Event;
use crate::objects::{self, Object};
use crate::plan;
use crate::section::{self, Section};
use crate::shared::{OFF, Shared};
use crate::stats::{CpuReason, SectionCounts};
use crate::switch::Switch;

/// Events that the text form shows; JSON has them all.
const EVENTS_SHOWN: usize = 8;

/// Everything at one moment.
#[derive(Clone, Debug, miniserde::Serialize, miniserde::Deserialize)]
pub struct Status {
    /// Process id.
    pub pid: u32,
    /// Milliseconds since the engine started.
    pub uptime_ms: u64,
    /// `on`, or why it is off.
    pub engine: String,
    /// How text is written, or why it is not.
    pub patching: String,
    /// Devices that are here.
    pub devices: Vec<DeviceStatus>,
    /// The program and the shared objects that carry sections.
    pub objects: Vec<ObjectStatus>,
    /// Every section of theirs.
    pub sections: Vec<SectionStatus>,
    /// Counters of all sections.
    pub counts: SectionCounts,
    /// What happened so far.
    pub totals: Totals,
    /// The latest events, oldest first.
    pub events: Vec<Event>,
}

/// Numbers of events.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, miniserde::Serialize, miniserde::Deserialize,
)]
pub struct Totals {
    /// All events.
    pub events: u64,
    /// Devices bound.
    pub plugs: u64,
    /// Devices that left in good order.
    pub unplugs: u64,
    /// Devices lost.
    pub losses: u64,
    /// Devices not used.
    pub refusals: u64,
}

/// One device.
#[derive(Clone, miniserde::Serialize, miniserde::Deserialize)]
pub struct DeviceStatus {
    /// Its name.
    pub name: String,
    /// Its presence's number.
    pub generation: u64,
    /// `bound` or another state's name.
    pub state: String,
    /// Why, where the state has a reason.
    pub reason: Option<String>,
    /// Kind of device.
    pub kind: String,
    /// Whether its figures are simulated.
    pub simulated: bool,
    /// Bytes of memory.
    pub memory: u64,
    /// Process id of its host, if that is our child.
    pub host_pid: Option<u32>,
    /// Microseconds of the empty way there and back, measured when it was bound.
    pub round_trip_us: Option<f64>,
    /// Sections it could not lower, with reasons.
    pub refused_sections: Vec<(String, String)>,
    /// Chunks committed.
    pub chunks: u64,
    /// Bytes sent to it.
    pub bytes_in: u64,
    /// Bytes fetched from it.
    pub bytes_out: u64,
}

impl DeviceStatus {
    /// Chunks committed, bytes sent, bytes fetched.
    pub fn work(&self) -> (u64, u64, u64) {
        (self.chunks, self.bytes_in, self.bytes_out)
    }
}

impl fmt::Debug for DeviceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.generation, self.state)
    }
}

/// One object with sections.
#[derive(Clone, Debug, miniserde::Serialize, miniserde::Deserialize)]
pub struct ObjectStatus {
    /// Path of its file.
    pub path: String,
    /// Build id in hexadecimal; empty if it has none.
    pub build_id: String,
    /// Where it is mapped.
    pub base: String,
    /// Its sections.
    pub sections: usize,
    /// Why they stay on the CPU, if they do.
    pub fault: Option<String>,
}

/// One section.
#[derive(Clone, Debug, miniserde::Serialize, miniserde::Deserialize)]
pub struct SectionStatus {
    /// Path in its crate.
    pub path: String,
    /// Address of its sled.
    pub site: String,
    /// `cpu`, `device` (patched; grains go to a device and to the CPU), or `pinned`.
    #[serde(rename = "where")]
    pub place: String,
    /// Why there.
    pub why: String,
    /// Counters.
    pub counts: SectionCounts,
    /// Measured nanoseconds of one CPU thread per element.
    pub ns_per_element: Option<f64>,
    /// Measured size from which on calls are offered to a device, while one is bound that takes it.
    pub min_device_elements: Option<u64>,
}

impl Status {
    /// One line of JSON, as the control socket sends it.
    pub fn to_json(&self) -> String {
        miniserde::json::to_string(self)
    }
}

/// Collects the status.
pub(crate) fn collect(shared: &Shared) -> Status {
    objects::refresh();
    let mut counts = SectionCounts::default();
    section::all().for_each(|s| counts += s.cell.stats().snapshot());
    let off = shared.off();
    let objects = objects::steady().objects().iter().map(object).collect();
    Status {
        pid: std::process::id(),
        uptime_ms: shared.started.elapsed().as_millis() as u64,
        engine: off.map_or_else(|| "on".to_owned(), |why| format!("off: {why}")),
        patching: patching(off),
        devices: shared.devices(),
        objects,
        sections: section::live().map(|s| one(s, off)).collect(),
        counts,
        totals: shared.totals(),
        events: shared.events(0),
    }
}

fn patching(off: Option<&str>) -> String {
    match off {
        Some(OFF) => "never in this process".to_owned(),
        _ => Switch::get().map_or_else(|e| format!("refused: {e}"), Switch::patching),
    }
}

fn object(object: &Object) -> ObjectStatus {
    ObjectStatus {
        path: object.path.clone(),
        build_id: object.build_id.clone(),
        base: format!("{:#x}", object.base),
        sections: object.sections.len(),
        fault: object.fault.as_ref().map(ToString::to_string),
    }
}

fn one(section: &Section, off: Option<&str>) -> SectionStatus {
    let cell = section.cell;
    let min = cell.device_from();
    let (place, why) = place(section, off, min);
    SectionStatus {
        path: section.path.clone(),
        site: section.sled.to_string(),
        place: place.to_owned(),
        why,
        counts: cell.stats().snapshot(),
        ns_per_element: cell.ns_per_element(),
        min_device_elements: min,
    }
}

fn place(section: &Section, off: Option<&str>, min: Option<u64>) -> (&'static str, String) {
    if section.cell.is_pinned() {
        return ("pinned", CpuReason::Pinned.to_string());
    }
    if let Some(why) = off {
        return ("cpu", format!("{} ({why})", CpuReason::Disabled));
    }
    match min {
        Some(n) => (
            "device",
            format!(
                "calls from {n} elements on are offered to the device; others: {}",
                section.cell.stats().reason()
            ),
        ),
        None if plan::any_bound() => ("cpu", CpuReason::Refused.to_string()),
        None => ("cpu", CpuReason::NoDevice.to_string()),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.uptime_ms as f64 / 1e3;
        writeln!(
            f,
            "process {}, up {seconds:.1} s, engine {}, patching: {}",
            self.pid, self.engine, self.patching
        )?;
        if self.devices.is_empty() {
            writeln!(f, "\nno device is plugged; plug one with `hotsled plug`")?;
        }
        for d in &self.devices {
            let simulated = if d.simulated { " (simulated)" } else { "" };
            writeln!(
                f,
                "\ndevice {}{simulated}: {}, generation {}",
                d.name, d.state, d.generation
            )?;
            writeln!(
                f,
                "  {} chunks, {} bytes sent, {} bytes fetched",
                d.chunks, d.bytes_in, d.bytes_out
            )?;
            for (section, reason) in &d.refused_sections {
                writeln!(f, "  does not run {section}: {reason}")?;
            }
        }
        for o in &self.objects {
            if let Some(fault) = &o.fault {
                writeln!(f, "\n{} stays on the CPU: {fault}", o.path)?;
            }
        }
        writeln!(
            f,
            "\n{:<44} {:>7} {:>9} {:>9} {:>8}  why",
            "section", "where", "calls cpu", "calls dev", "replayed"
        )?;
        for s in &self.sections {
            let c = &s.counts;
            writeln!(
                f,
                "{:<44} {:>7} {:>9} {:>9} {:>8}  {}",
                s.path, s.place, c.calls_cpu, c.calls_device, c.chunks_replayed, s.why
            )?;
        }
        let t = &self.totals;
        writeln!(
            f,
            "\n{} plugs, {} unplugs, {} losses, {} refusals",
            t.plugs, t.unplugs, t.losses, t.refusals
        )?;
        let old = self.events.len().saturating_sub(EVENTS_SHOWN);
        self.events[old..]
            .iter()
            .try_for_each(|e| writeln!(f, "{e}"))
    }
}
