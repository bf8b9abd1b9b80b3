//! Finding and starting the device host program.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hotsled_sys::{seqpacket, spawn};

use crate::config::{HostProgram, PlugOptions};
use crate::error::{Error, Result};

const NAME: &str = "hotsled-device";
/// Number of the link's descriptor in the host.
const LINK_FD: i32 = 3;

/// A host process; killed and reaped on drop.
#[derive(Debug)]
pub(crate) struct Host(Child);

impl Host {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.0.kill();
    }

    /// Waits for the process to end by itself; kills it at the deadline.
    pub(crate) fn reap(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            match self.0.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
        let _ = self.0.wait();
    }
}

/// Starts a host for one device and returns our end of its link.
pub(crate) fn start(
    program: &HostProgram,
    name: &str,
    options: &PlugOptions,
) -> Result<(Host, OwnedFd)> {
    let path = find(program)?;
    let refuse = |source| Error::HostStart {
        program: path.clone(),
        source,
    };
    let (ours, theirs) = seqpacket::pair().map_err(refuse)?;
    let mut command = Command::new(&path);
    command
        .args(&program.arguments)
        .args([options.kind.word(), "--name", name])
        .args(&options.arguments);
    command
        .args(["--link-fd", &LINK_FD.to_string()])
        .stdin(std::process::Stdio::null());
    let child = spawn::with_descriptor(command, theirs, LINK_FD).map_err(refuse)?;
    Ok((Host(child), ours))
}

/// As configured; else beside this program; else on the PATH.
fn find(program: &HostProgram) -> Result<PathBuf> {
    if let Some(path) = &program.path {
        return match path.is_file() {
            true => Ok(path.clone()),
            false => Err(Error::NoHostProgram {
                looked: format!("{} is not a file", path.display()),
            }),
        };
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(NAME)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join(NAME));
    let found = beside
        .clone()
        .into_iter()
        .chain(on_path)
        .find(|p| p.is_file());
    found.ok_or_else(|| {
        let beside = beside.map_or_else(OsString::new, PathBuf::into_os_string);
        Error::NoHostProgram {
            looked: format!("not at {} and not on the PATH", beside.display()),
        }
    })
}
