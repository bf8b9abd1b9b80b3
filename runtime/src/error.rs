//! What can go wrong in the engine.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hotsled_link::LinkError;
use hotsled_patcher::PatchError;
use hotsled_trampolines::TrampolineError;

use crate::epoch::Straggler;
use crate::objects::ObjectFault;
use crate::section;

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the engine, or one plug, failed; sections go on running their CPU code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An object's sections stay on the CPU; others are not affected.
    #[error("{object}: {source}")]
    Object {
        /// Path of its file.
        object: String,
        /// What is wrong with it.
        source: Arc<ObjectFault>,
    },
    /// Another copy of this crate runs the engine of this process.
    #[error(
        "the engine of this process is run by the copy of hotsled in {object} (contract version {version}); sections of this copy join it by themselves if the versions agree"
    )]
    EngineElsewhere {
        /// Path of the object that holds the copy.
        object: String,
        /// Its contract version.
        version: u32,
    },
    /// Sleds cannot be switched.
    #[error("patching: {0}")]
    Patch(#[from] PatchError),
    /// Trampolines cannot be published.
    #[error("trampolines: {0}")]
    Trampolines(#[from] TrampolineError),
    /// The kernel offers no barriers.
    #[error("membarrier: {0}; allow it in the seccomp filter, or run Linux 4.16 or newer")]
    Barriers(#[source] io::Error),
    /// No memory for the plan.
    #[error("mapping the plan: {0}")]
    Memory(#[source] io::Error),
    /// No thread.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
    /// A second engine in one process.
    #[error("this process runs an engine already; drop it first, or share it")]
    EngineExists,
    /// The engine is switched off.
    #[error("the engine is switched off ({0})")]
    Disabled(&'static str),
    /// No device host program.
    #[error(
        "no device host program: {looked}; build it with `cargo build --release -p hotsled-device` and put it beside this program, or name it in the configuration"
    )]
    NoHostProgram {
        /// Where it was looked for.
        looked: String,
    },
    /// The device host program could not be started.
    #[error("cannot start {program}: {source}")]
    HostStart {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A device was refused.
    #[error("device {device} was refused: {source}")]
    Refused {
        /// Its name.
        device: String,
        /// Why.
        source: LinkError,
    },
    /// No section could be lowered for a device.
    #[error("device {device} lowered none of {sections} sections; first reason: {reason}")]
    NothingLowered {
        /// Its name.
        device: String,
        /// Number of sections.
        sections: usize,
        /// Why the first one was refused.
        reason: String,
    },
    /// A name that is in use.
    #[error("a device named {0} is plugged already; unplug it first, or choose another name")]
    NameTaken(String),
    /// Too many devices.
    #[error("all {0} places for devices are taken; unplug one first")]
    TooManyDevices(usize),
    /// No such device.
    #[error("no device named {0} is plugged")]
    NoDevice(String),
    /// A host that is not our child.
    #[error(
        "the host of device {0} connected by itself and is not ours to kill; unplug it instead"
    )]
    NotOurs(String),
    /// Somebody is still inside a generation.
    #[error(
        "{} did not leave device {device} in time; its memory is kept",
        list(threads)
    )]
    Stalled {
        /// The device.
        device: String,
        /// Who, and where.
        threads: Vec<Stalled>,
    },
    /// A socket another process serves.
    #[error("{0} is served by another process; choose another path, or stop that one")]
    SocketInUse(PathBuf),
    /// A socket that cannot be made.
    #[error("cannot serve {path}: {source}")]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No names for perf.
    #[error("cannot write {path} for perf: {source}; remove it, or leave perf_map out")]
    PerfMap {
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A signal that cannot be used.
    #[error("cannot use signal {signal}: {source}")]
    Signal {
        /// Its number.
        signal: i32,
        /// What the kernel said.
        source: io::Error,
    },
    /// The engine's own thread is gone.
    #[error("the engine has stopped")]
    Stopped,
}

/// A thread that is still inside a device's generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Its number.
    pub tid: i32,
    /// Its name.
    pub name: String,
    /// Path of the section that it offers.
    pub section: String,
}

impl From<&Straggler> for Stalled {
    fn from(straggler: &Straggler) -> Self {
        let section = section::by_site(straggler.site).map(|s| s.path.clone());
        Self {
            tid: straggler.tid,
            name: straggler.name.clone(),
            section: section.unwrap_or_else(|| format!("site {}", straggler.site.0)),
        }
    }
}

impl std::fmt::Display for Stalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tid, name, section } = self;
        write!(f, "thread {name} ({tid}) in {section}")
    }
}

fn list(threads: &[Stalled]) -> String {
    let threads: Vec<_> = threads.iter().map(Stalled::to_string).collect();
    threads.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_names_thread_and_section() {
        let thread = |tid, name: &str, section: &str| Stalled {
            tid,
            name: name.to_owned(),
            section: section.to_owned(),
        };
        let stalled = Error::Stalled {
            device: "left".to_owned(),
            threads: vec![
                thread(71, "worker-3", "demo::blur"),
                thread(72, "main", "demo::blur"),
            ],
        };
        let expected = "thread worker-3 (71) in demo::blur, thread main (72) in demo::blur \
            did not leave device left in time; its memory is kept";
        assert_eq!(stalled.to_string(), expected);
    }
}
