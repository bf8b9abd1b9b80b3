//! Choices of an engine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hotsled_patcher::Options as PatchOptions;

use crate::device;
use crate::engine::Engine;
use crate::error::Result;
use crate::worth::Offload;

/// Longest waits.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub handshake: Duration,
    pub lower: Duration,
    pub chunk: Duration,
    pub drain: Duration,
}

/// The device host program and arguments that stand before its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostProgram {
    pub path: Option<PathBuf>,
    pub arguments: Vec<OsString>,
}

/// Longest wait between two attempts.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(600);

/// How often and when a refused plug is tried again; each wait is twice the one before.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Further attempts; 0: none.
    pub attempts: u32,
    /// First wait.
    pub first: Duration,
}

impl Retry {
    /// No further attempts.
    pub const NEVER: Retry = Retry {
        attempts: 0,
        first: Duration::ZERO,
    };

    /// Wait after attempt number `attempt` (from 1) was refused.
    pub(crate) fn wait(&self, attempt: u32) -> Option<Duration> {
        let doubled = self
            .first
            .saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1)));
        (attempt <= self.attempts).then(|| doubled.min(LONGEST_BACK_OFF))
    }
}

/// Where the control socket is.
#[derive(Clone, Debug)]
pub(crate) enum ControlSocket {
    None,
    Default,
    At(PathBuf),
}

#[derive(Debug)]
pub(crate) struct Config {
    pub control: ControlSocket,
    pub device_socket: Option<PathBuf>,
    pub plug_signal: Option<i32>,
    pub unplug_signal: Option<i32>,
    pub host: HostProgram,
    pub workers: Option<usize>,
    pub pool: Option<Arc<rayon_core::ThreadPool>>,
    pub verify: u64,
    pub offload: Offload,
    pub pinned: Vec<String>,
    pub perf_map: bool,
    pub limits: Limits,
    pub retry: Retry,
    pub patching: PatchOptions,
}

impl Default for Config {
    fn default() -> Self {
        let wait = device::DEFAULT_WAIT;
        Self {
            control: ControlSocket::None,
            device_socket: None,
            plug_signal: None,
            unplug_signal: None,
            host: HostProgram::default(),
            workers: None,
            pool: None,
            verify: 0,
            offload: Offload::default(),
            pinned: Vec::new(),
            perf_map: false,
            limits: Limits {
                handshake: wait,
                lower: 2 * wait,
                chunk: wait,
                drain: wait,
            },
            retry: Retry::NEVER,
            patching: PatchOptions::DEFAULT,
        }
    }
}

/// Builds an [`Engine`]; everything has a default.
///
/// ```no_run
/// # fn main() -> hotsled::Result<()> {
/// let engine = hotsled::Engine::builder().default_control_socket().verify(100).start()?;
/// # drop(engine);
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
#[must_use = "call start"]
pub struct Builder(Config);

impl Builder {
    /// Serves `hotsled status|plug|unplug` at `path` (mode 0600, same user only).
    pub fn control_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.control = ControlSocket::At(path.into());
        self
    }

    /// Serves them where the `hotsled` command looks: `$XDG_RUNTIME_DIR/hotsled/PROGRAM-PID.sock`, or
    /// `/tmp/hotsled-UID/PROGRAM-PID.sock`.
    pub fn default_control_socket(mut self) -> Self {
        self.0.control = ControlSocket::Default;
        self
    }

    /// Lets device hosts connect by themselves at `path` (same user only).
    pub fn device_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.device_socket = Some(path.into());
        self
    }

    /// Plugs a device on one signal and unplugs all on another. No signal is used unless this is called.
    pub fn on_signals(mut self, plug: i32, unplug: i32) -> Self {
        self.0.plug_signal = Some(plug);
        self.0.unplug_signal = Some(unplug);
        self
    }

    /// The device host program, and arguments that stand before its own. Default: `hotsled-device`
    /// beside this program, else on the PATH.
    pub fn device_program(
        mut self,
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Self {
        self.0.host = HostProgram {
            path: Some(path.into()),
            arguments: arguments.into_iter().collect(),
        };
        self
    }

    /// Threads that help callers. Default: one per core.
    pub fn workers(mut self, count: usize) -> Self {
        self.0.workers = Some(count);
        self
    }

    /// Your own pool in place of ours.
    pub fn pool(mut self, pool: Arc<rayon_core::ThreadPool>) -> Self {
        self.0.pool = Some(pool);
        self
    }

    /// One device chunk in `every` also runs on the CPU before its commit; a difference keeps the CPU's
    /// result and quarantines the device. 0: none.
    pub fn verify(mut self, every: u64) -> Self {
        self.0.verify = every;
        self
    }

    /// Which calls are offered to devices. Default: those that repay it.
    pub fn offload(mut self, offload: Offload) -> Self {
        self.0.offload = offload;
        self
    }

    /// Keeps a section on the CPU, by its path or the end of it.
    pub fn pin(mut self, section: impl Into<String>) -> Self {
        self.0.pinned.push(section.into());
        self
    }

    /// Names trampolines for perf in `/tmp/perf-PID.map`, which stays when the process ends. gdb has the
    /// names in any case.
    pub fn perf_map(mut self) -> Self {
        self.0.perf_map = true;
        self
    }

    /// Longest wait for one chunk before a device counts as hung.
    pub fn chunk_deadline(mut self, limit: Duration) -> Self {
        self.0.limits.chunk = limit;
        self
    }

    /// Longest wait for a host's greeting and farewell.
    pub fn handshake_deadline(mut self, limit: Duration) -> Self {
        self.0.limits.handshake = limit;
        self
    }

    /// Longest wait for a host to lower one section.
    pub fn lower_deadline(mut self, limit: Duration) -> Self {
        self.0.limits.lower = limit;
        self
    }

    /// Longest wait for threads to leave a device that goes.
    pub fn drain_deadline(mut self, limit: Duration) -> Self {
        self.0.limits.drain = limit;
        self
    }

    /// Tries a refused plug again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// How sleds are written: under a debugger, by which path, by single stores or not. The first engine
    /// that switches decides for the process.
    pub fn patching(mut self, options: PatchOptions) -> Self {
        self.0.patching = options;
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// A second engine, a faulty site table, a socket in use or not to be made, a signal not to be
    /// used. A process that cannot be patched is no error: it says so in status, and stays on the CPU.
    pub fn start(self) -> Result<Engine> {
        Engine::with(self.0)
    }
}

/// Kind of device that a plug brings.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, miniserde::Serialize, miniserde::Deserialize,
)]
pub enum DeviceKind {
    /// The simulated accelerator.
    #[default]
    #[serde(rename = "sim")]
    Sim,
    /// A Vulkan device; `--device N` among the arguments chooses which.
    #[serde(rename = "vulkan")]
    Vulkan,
    /// An NVIDIA device through the CUDA driver; `--device N` among the arguments chooses which.
    #[serde(rename = "cuda")]
    Cuda,
}

impl DeviceKind {
    /// The word for it: in names, and as the host program's first argument.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        }
    }
}

/// What to plug.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlugOptions {
    /// What it is; default: simulated.
    pub kind: DeviceKind,
    /// Its name; default: its kind and a number, `sim0` and up.
    pub name: Option<String>,
    /// Further arguments of the device host program, e.g. `--bandwidth-gbps 4`.
    pub arguments: Vec<String>,
}
