//! Rows of results.

use serde::Serialize;

/// One line of a result.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// Cost of calls.
    Call {
        /// `call`.
        bench: &'static str,
        /// `hotsled` or `direct`.
        scheme: &'static str,
        /// `idle`: nothing is patched.
        state: &'static str,
        /// Median nanoseconds a call.
        ns_per_call: f64,
        /// Instructions a call under callgrind, where valgrind is installed.
        instructions: Option<f64>,
    },
    /// Time of one batch.
    Switch {
        /// `switch`.
        bench: &'static str,
        /// `hotsled` or `atomic-ptr`.
        scheme: &'static str,
        /// Sites in the batch.
        sites: usize,
        /// Threads that call sites meanwhile.
        busy: usize,
        /// Median microseconds of the batch.
        us: f64,
        /// Nanoseconds a site.
        ns_per_site: f64,
    },
    /// CPU path beside rayon.
    Cpu {
        /// `cpu`.
        bench: &'static str,
        /// The loop.
        filter: &'static str,
        /// Median seconds through the section.
        ours_s: f64,
        /// Median seconds with rayon.
        rayon_s: f64,
        /// Throughput of ours over rayon's.
        ratio: f64,
    },
}

/// The middle of `values`; not empty.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
