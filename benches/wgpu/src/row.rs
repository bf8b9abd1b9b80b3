//! Rows of results.

use std::fmt;

use serde::Serialize;

/// Who ran a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Scheme {
    /// The Vulkan device host.
    #[serde(rename = "hotsled-vulkan")]
    Ours,
    /// WGSL through `wgpu`.
    #[serde(rename = "wgpu")]
    Peer,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "hotsled-vulkan",
            Self::Peer => "wgpu",
        })
    }
}

/// One kernel on one side.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Always `kernels`.
    pub bench: &'static str,
    /// The kernel.
    pub kernel: &'static str,
    /// The side.
    pub scheme: Scheme,
    /// The kernel's size.
    pub size: usize,
    /// Median seconds of a launch.
    pub seconds: f64,
    /// Throughput as a part of `wgpu`'s.
    pub ratio: f64,
    /// Largest difference from the plain loop; 0 where the bits agree.
    pub difference: f64,
}

/// The rows for people.
pub fn table(rows: &[Row]) -> String {
    let head = format!(
        "{:<12} {:<15} {:>8} {:>10} {:>6} {:>10}\n",
        "kernel", "scheme", "size", "ms", "ratio", "difference"
    );
    let line = |row: &Row| {
        format!(
            "{:<12} {:<15} {:>8} {:>10.3} {:>6.2} {:>10.1e}\n",
            row.kernel,
            row.scheme,
            row.size,
            row.seconds * 1e3,
            row.ratio,
            row.difference
        )
    };
    head + &rows.iter().map(line).collect::<String>()
}
