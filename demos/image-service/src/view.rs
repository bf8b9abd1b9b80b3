//! What the page shows: one snapshot, the same at `/status` and on `/events`.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::events::Entry;
use crate::meter::Counts;

/// Everything at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Milliseconds since the service started.
    pub at_ms: u64,
    /// Requests served in the last second.
    pub rps: f64,
    /// Running counts.
    pub counts: Counts,
    /// Live patching in a phrase: on or off and why, switches so far.
    pub engine: String,
    /// Every device that is here.
    pub devices: Vec<DeviceView>,
    /// Every section of the process.
    pub sections: Vec<SectionView>,
    /// Throughput of the last two minutes.
    pub samples: Vec<Sample>,
    /// The latest events, oldest first.
    pub events: Vec<Entry>,
    /// The engine's own status; at `/status` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<RawValue>>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceView {
    /// Its name.
    pub name: String,
    /// Its state by the engine's word.
    pub state: String,
    /// Whether its figures are a simulation's.
    pub simulated: bool,
    /// Process of its device host, while there is one.
    pub pid: Option<u32>,
    /// What else is known, in a phrase.
    pub text: String,
}

/// One section.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SectionView {
    /// Last part of its path.
    pub name: String,
    /// `cpu`, `device` or `pinned`.
    #[serde(rename = "where")]
    pub place: String,
    /// Why there.
    pub why: String,
    /// Calls that ran on the CPU alone.
    pub calls_cpu: u64,
    /// Calls of which a device committed a chunk.
    pub calls_device: u64,
    /// Chunks of a device that were run again on the CPU.
    pub chunks_replayed: u64,
    /// Bytes moved to devices.
    pub bytes_in: u64,
    /// Bytes moved back.
    pub bytes_out: u64,
}

/// Throughput at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Milliseconds since the service started.
    pub at_ms: u64,
    /// Requests a second since the sample before.
    pub rps: f64,
    /// Whether a device was bound.
    pub device: bool,
}
