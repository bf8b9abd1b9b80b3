//! The engine of a process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use hotsled_sys::wake::{self, Claimed};

use crate::config::{Builder, Config, ControlSocket, PlugOptions};
use crate::control::Server;
use crate::device::{Handle, Manager, Request, SIGNAL_PLUG, SIGNAL_UNPLUG};
use crate::error::{Error, Result};
use crate::events::Event;
use crate::shared::{OFF, Shared};
use crate::socket::SocketFile;
use crate::status::{self, Status};
use crate::{dispatch, lane, objects, switch, workers, worth};

/// Keeps hotplug live; dropping it drains every device and leaves all sections on the CPU.
///
/// ```no_run
/// # fn main() -> hotsled::Result<()> {
/// let engine = hotsled::Engine::start()?;
/// engine.plug(hotsled::PlugOptions::default())?;
/// println!("{}", engine.status());
/// # Ok(()) }
/// ```
#[must_use = "hotplug ends when the engine is dropped"]
pub struct Engine {
    shared: Arc<Shared>,
    handle: Handle,
    manager: Option<JoinHandle<()>>,
    control: Option<Server>,
    /// Given back on drop.
    signals: Vec<Claimed>,
    /// Removed from the file system on drop.
    _device_socket: Option<SocketFile>,
    _only: Only,
}

/// Evidence of being the process's only engine.
struct Only;

static RUNNING: AtomicBool = AtomicBool::new(false);

impl Only {
    fn claim() -> Result<Self> {
        if RUNNING.swap(true, Ordering::AcqRel) {
            Err(Error::EngineExists)
        } else {
            Ok(Self)
        }
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Release);
    }
}

impl Engine {
    /// An engine with every default: no sockets, no signals.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Choices.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn with(config: Config) -> Result<Self> {
        let only = Only::claim()?;
        objects::claim()?;
        let off = std::env::var_os("HOTSLED")
            .is_some_and(|v| v == "off")
            .then_some(OFF);
        let shared = Arc::new(Shared::new(off));
        switch::set_perf_map(config.perf_map)?;
        apply(&config);
        dispatch::set_enabled(off.is_none());
        let config = Arc::new(config);
        let (listener, device_socket) = match &config.device_socket {
            Some(path) => Some(SocketFile::seqpacket(path)?).unzip(),
            None => (None, None),
        };
        let made = Manager::new(config.clone(), shared.clone(), listener);
        let (manager, handle) = made.map_err(Error::Memory)?;
        let control = match control_path(&config.control) {
            Some(path) => Some(Server::start(&path, shared.clone(), handle.clone())?),
            None => None,
        };
        let signals = claim_signals(&config, &handle)?;
        let thread = std::thread::Builder::new()
            .name("hotsled-engine".into())
            .spawn(move || manager.run());
        let manager = Some(thread.map_err(Error::Thread)?);
        let teller = handle.clone();
        objects::listen(Some(Arc::new(move |change| {
            let _ = teller.send(Request::Objects(change)); // an engine that has stopped needs no news
        })));
        tracing::info!(off, "engine started");
        Ok(Self {
            shared,
            handle,
            manager,
            control,
            signals,
            _device_socket: device_socket,
            _only: only,
        })
    }

    /// Plugs a device; returns its name once sections are offered to it.
    ///
    /// # Errors
    /// Why it was refused, and what to do.
    pub fn plug(&self, options: PlugOptions) -> Result<String> {
        self.handle.ask(|answer| Request::Plug(options, answer))
    }

    /// Unplugs one device in good order, or all: returns when nothing of it is in use any more.
    ///
    /// # Errors
    /// No such device, or threads that did not leave in time.
    pub fn unplug(&self, name: Option<&str>) -> Result<()> {
        self.handle
            .ask(|answer| Request::Unplug(name.map(str::to_owned), answer))
    }

    /// Kills the host of a device with SIGKILL, as a card is torn out.
    ///
    /// # Errors
    /// No such device, or one whose host is not our child.
    pub fn kill(&self, name: &str) -> Result<()> {
        self.handle
            .ask(|answer| Request::Kill(name.to_owned(), answer))
    }

    /// Switches the engine off: sleds idle, devices stay plugged but unused.
    ///
    /// # Errors
    /// When sleds cannot be switched; grains run CPU code all the same.
    pub fn disable(&self) -> Result<()> {
        self.handle.ask(|answer| Request::Enable(false, answer))
    }

    /// Switches the engine on again.
    ///
    /// # Errors
    /// When sleds cannot be switched.
    pub fn enable(&self) -> Result<()> {
        self.handle.ask(|answer| Request::Enable(true, answer))
    }

    /// Looks for shared objects that came without telling, and checks every object with sections.
    ///
    /// # Errors
    /// [`Error::Object`] names the first object whose sections stay on the CPU, and why.
    pub fn rescan(&self) -> Result<()> {
        objects::check()
    }

    /// Everything at this moment.
    pub fn status(&self) -> Status {
        status::collect(&self.shared)
    }

    /// Events with numbers above `after`.
    pub fn events(&self, after: u64) -> Vec<Event> {
        self.shared.events(after)
    }

    /// Path of the control socket, if there is one.
    pub fn control_socket(&self) -> Option<&Path> {
        self.control.as_ref().map(Server::path)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.control = None; // no requests from now on
        objects::listen(None);
        self.signals.clear();
        let asked = self.handle.send(Request::Stop);
        if let (Ok(()), Some(manager)) = (asked, self.manager.take()) {
            let _ = manager.join(); // a panic there has been printed
        }
        tracing::info!("engine stopped");
    }
}

fn apply(config: &Config) {
    if let Some(pool) = &config.pool {
        workers::use_pool(pool.clone());
    } else if let Some(count) = config.workers {
        workers::set_count(count);
    }
    lane::set_verify(config.verify);
    worth::set_offload(config.offload);
    switch::set_options(config.patching);
    objects::pin(&config.pinned);
    objects::refresh();
}

fn claim_signals(config: &Config, handle: &Handle) -> Result<Vec<Claimed>> {
    let wanted = [
        (config.plug_signal, SIGNAL_PLUG),
        (config.unplug_signal, SIGNAL_UNPLUG),
    ];
    let asked = wanted.into_iter().filter_map(|(s, b)| Some((s?, b)));
    let claim = |(signal, byte)| {
        wake::on_signal(signal, handle.wake_fd(), byte)
            .map_err(|source| Error::Signal { signal, source })
    };
    asked.map(claim).collect()
}

fn control_path(choice: &ControlSocket) -> Option<PathBuf> {
    match choice {
        ControlSocket::None => None,
        ControlSocket::At(path) => Some(path.clone()),
        ControlSocket::Default => {
            let exe = std::env::current_exe().ok();
            let name = exe
                .as_deref()
                .and_then(Path::file_name)
                .map_or("program".into(), |n| n.to_string_lossy());
            Some(crate::control::directory().join(format!("{name}-{}.sock", std::process::id())))
        }
    }
}
