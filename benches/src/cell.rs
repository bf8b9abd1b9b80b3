//! Measurements in processes of their own: a patcher exists once a process, peers change text for good,
//! and one that crashes is a row and not the end.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::scheme::Name;
use crate::{stall, switch};

/// One measurement.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// See [`switch::measure`].
    Switch {
        /// How.
        scheme: Name,
        /// In a batch.
        sites: usize,
        /// Threads that call.
        busy: usize,
        /// How long.
        time: Duration,
    },
    /// See [`stall::measure`].
    Stall {
        /// How; without one nothing is switched.
        scheme: Option<Name>,
        /// In a batch.
        sites: usize,
        /// How long.
        time: Duration,
    },
}

/// Has another process of this program measure.
///
/// # Errors
/// Why it could not, or how it ended.
pub fn ask<T: DeserializeOwned>(ask: &Ask) -> Result<T, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let ask = serde_json::to_string(ask).expect("plain data");
    let output = Command::new(program).args(["cell", &ask]).output();
    let output = output.map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(ended(output.status, &output.stderr));
    }
    serde_json::from_slice::<Result<T, String>>(&output.stdout).map_err(|e| e.to_string())?
}

/// Measures what another process asks for; the answer as JSON.
///
/// # Panics
/// When the question is not one of [`ask`]'s.
pub fn answer(ask: &str) -> String {
    let answer = match serde_json::from_str(ask).expect("a question of `ask`") {
        Ask::Switch {
            scheme,
            sites,
            busy,
            time,
        } => serde_json::to_string(&switch::measure(scheme, sites, busy, time)),
        Ask::Stall {
            scheme,
            sites,
            time,
        } => serde_json::to_string(&stall::measure(scheme, sites, time)),
    };
    answer.expect("plain data")
}

/// How a program ended, with the last line that it wrote.
pub fn ended(status: ExitStatus, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let last = text.lines().rfind(|l| !l.is_empty()).unwrap_or_default();
    match status.signal() {
        Some(signal) => format!("died of signal {signal} {last}").trim_end().into(),
        None => format!("failed: {last}"),
    }
}
