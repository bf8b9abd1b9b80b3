//! Requests and answers.

use serde::{Deserialize, Serialize};

use crate::config::PlugOptions;

/// Longest request in bytes.
pub(super) const MAX_REQUEST: usize = 64 << 10;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Ask {
    /// Everything at this moment.
    Status,
    /// Plug a device.
    Plug(PlugOptions),
    /// Unplug one, or all.
    Unplug {
        /// Its name.
        #[serde(default)]
        device: Option<String>,
    },
    /// SIGKILL a device's host.
    Kill {
        /// The device's name.
        device: String,
    },
}

/// What the service answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Done; what was asked for.
    Ok(serde_json::Value),
    /// Not done, and why.
    Error(String),
}
