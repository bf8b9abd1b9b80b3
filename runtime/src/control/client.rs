//! Asking a running service; what the `hotsled` command uses.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miniserde::Deserialize;

use super::protocol::{Ask, Nothing, Plugged, read_answer};
use crate::config::PlugOptions;
use crate::status::Status;

/// Longest wait for an answer: a plug greets, lowers and patches.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a service could not be asked, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No service has a socket in the default place.
    #[error(
        "no service serves a socket in {0}; start one with a control socket, or name it with --socket"
    )]
    NoService(PathBuf),
    /// More than one has.
    #[error("several services run; name one with --socket: {}", .0.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    Several(Vec<PathBuf>),
    /// Its socket cannot be reached.
    #[error("{path}: {source}; is the service running, and yours?")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The answer makes no sense.
    #[error("the service's answer makes no sense: {0}; use programs of one release")]
    Answer(String),
    /// The service refused.
    #[error("{0}")]
    Refused(String),
}

/// A service's control socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// The service at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The only service of this user that serves the default place.
    ///
    /// # Errors
    /// None, or several.
    pub fn find() -> Result<Self, ClientError> {
        let directory = super::directory();
        let entries = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path());
        let mut live: Vec<_> = entries.filter(|p| UnixStream::connect(p).is_ok()).collect();
        match live.len() {
            0 => Err(ClientError::NoService(directory)),
            1 => Ok(Self::at(live.remove(0))),
            _ => Err(ClientError::Several(live)),
        }
    }

    /// Its socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything at this moment.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn status(&self) -> Result<Status, ClientError> {
        self.ask(Ask::Status)
    }

    /// Plugs a device; its name.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn plug(&self, options: PlugOptions) -> Result<String, ClientError> {
        let plugged: Plugged = self.ask(Ask::Plug(options))?;
        Ok(plugged.device)
    }

    /// Unplugs one device, or all.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn unplug(&self, device: Option<String>) -> Result<(), ClientError> {
        self.ask(Ask::Unplug { device }).map(|_: Nothing| ())
    }

    /// Kills a device's host.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn kill(&self, device: String) -> Result<(), ClientError> {
        self.ask(Ask::Kill { device }).map(|_: Nothing| ())
    }

    fn ask<T: Deserialize>(&self, ask: Ask) -> Result<T, ClientError> {
        let line = self.exchange(ask).map_err(|source| ClientError::Connect {
            path: self.path.clone(),
            source,
        })?;
        match read_answer(&line) {
            Some(answer) => answer.map_err(ClientError::Refused),
            None => Err(ClientError::Answer(line)),
        }
    }

    fn exchange(&self, ask: Ask) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(ask.write().as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    }
}
