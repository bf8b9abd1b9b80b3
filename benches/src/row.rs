//! Rows of results.

use serde::{Deserialize, Serialize};

/// One line of a result; its first field says which benchmark it is of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "bench", rename_all = "lowercase")]
pub enum Row {
    /// Cost of calls.
    Call(Call),
    /// Time of one batch.
    Switch(Switch),
    /// What a caller waits while sites are switched under him.
    Stall(Stall),
    /// CPU path beside rayon.
    Cpu(Cpu),
    /// A section's lowerings.
    Lower(Lower),
    /// A section's loop by the simulated device's code beside rustc's.
    Kernels(Kernels),
    /// Build times of a user's crate.
    Compile(Compile),
}

/// A section's loop, on one thread, without any link.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kernels {
    /// The loop.
    pub section: String,
    /// Indices.
    pub elements: u64,
    /// Whether the device runs neighbouring indices at once.
    pub grouped: bool,
    /// Least seconds of the code that the simulated device made.
    pub device_s: f64,
    /// Least seconds of the section's CPU body.
    pub rustc_s: f64,
    /// `rustc_s / device_s`: above 1 the device's code is faster.
    pub ratio: f64,
}

/// A section's lowerings.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lower {
    /// Its path.
    pub section: String,
    /// Bytes of its virtual ISA.
    pub isa_bytes: usize,
    /// Microseconds to machine code by Cranelift.
    pub cranelift_us: Option<f64>,
    /// Microseconds to SPIR-V, before the driver compiles it.
    pub spirv_us: Option<f64>,
    /// Microseconds to PTX text.
    pub ptx_us: Option<f64>,
}

/// Build times of a user's crate, without optimisation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Compile {
    /// Seconds from nothing, with one section; crates are there, nothing is built.
    pub clean_seconds: f64,
    /// Seconds that all cores together worked for it; what else runs changes these less.
    pub clean_cpu_seconds: f64,
    /// Seconds when only the crate itself is built anew.
    pub again_seconds: f64,
    /// Milliseconds that a section more takes.
    pub section_ms: f64,
}

/// Cost of calls.
#[derive(Debug, Serialize, Deserialize)]
pub struct Call {
    /// The way of the call.
    pub scheme: String,
    /// Whether it ends in the ordinary body or in the other one.
    pub state: State,
    /// Median nanoseconds a call.
    pub ns_per_call: Option<f64>,
    /// Instructions a call under callgrind, where valgrind is installed.
    pub instructions: Option<f64>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// Which of two bodies calls reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The ordinary one.
    Idle,
    /// The other one.
    Active,
}

/// Time of one batch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Switch {
    /// How sites are switched.
    pub scheme: String,
    /// Sites in the batch.
    pub sites: usize,
    /// Threads that call sites meanwhile.
    pub busy: usize,
    /// Median microseconds of the batch.
    pub us: Option<f64>,
    /// Nanoseconds a site.
    pub ns_per_site: Option<f64>,
    /// Medians of a session's parts, for hotsled.
    #[serde(flatten)]
    pub parts: Option<Parts>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// What a session tells of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Parts {
    /// Comparing sites.
    pub verify_us: f64,
    /// Looking at tracer, threads and handler.
    pub scan_us: f64,
    /// Working out what to write.
    pub plan_us: f64,
    /// Core syncs.
    pub syncs: u32,
}

/// A caller's latencies.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stall {
    /// How sites are switched; `none` for the control, in which they are not.
    pub scheme: String,
    /// Sites in a batch, which the caller calls in turn.
    pub sites: usize,
    /// Batches.
    pub flips: u64,
    /// Calls.
    pub calls: u64,
    /// Quantiles of a call.
    #[serde(flatten)]
    pub waits: Option<Waits>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// Quantiles in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Waits {
    /// Half of the calls took no longer.
    pub p50_ns: f64,
    /// 99 of 100.
    pub p99_ns: f64,
    /// 999 of 1000.
    #[serde(rename = "p99.9_ns")]
    pub p99_9_ns: f64,
    /// 9999 of 10000.
    #[serde(rename = "p99.99_ns")]
    pub p99_99_ns: f64,
}

/// A loop's throughput.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cpu {
    /// The loop.
    pub filter: String,
    /// Median seconds through the section.
    pub ours_s: f64,
    /// Median seconds with rayon.
    pub rayon_s: f64,
    /// Throughput of ours over rayon's.
    pub ratio: f64,
}

/// The middle of `values`; not empty.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
