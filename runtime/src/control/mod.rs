//! The control socket: one JSON object a line, each way.

mod protocol;
mod server;

pub mod client;

use std::path::PathBuf;

pub(crate) use server::Server;

/// Where control sockets are by default.
pub fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir).join("hotsled"),
        _ => std::env::temp_dir().join(format!("hotsled-{}", hotsled_sys::uid())),
    }
}
