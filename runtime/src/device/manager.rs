//! The engine's one thread: it sleeps in poll until something happens, then takes one step at a time.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hotsled_abi::Generation;
use hotsled_sys::poll;

use super::coming::{Coming, Retry};
use super::presence::Presence;
use crate::config::{Config, PlugOptions};
use crate::dispatch;
use crate::error::{Error, Result};
use crate::events::{Event, EventKind};
use crate::lane::Progress;
use crate::objects::Change;
use crate::section;
use crate::shared::{OFF, Shared};
use crate::switch::{Switch, SwitchReport};

/// Bytes on the wake pipe; signals write the latter two.
const WAKE: u8 = b'w';
pub(crate) const SIGNAL_PLUG: u8 = b'p';
pub(crate) const SIGNAL_UNPLUG: u8 = b'u';

/// What others ask of the manager, with where to answer.
pub(crate) enum Request {
    /// Plug a device; answers its name.
    Plug(PlugOptions, Sender<Result<String>>),
    /// From a probing thread: what became of the device of this name.
    Raised(String, Box<Result<Presence>>),
    /// Unplug one, or all.
    Unplug(Option<String>, Sender<Result<()>>),
    /// SIGKILL the host of one.
    Kill(String, Sender<Result<()>>),
    /// An object with sections came or went.
    Objects(Change),
    /// Switch the engine on or off.
    Enable(bool, Sender<Result<()>>),
    /// Unplug all and end.
    Stop,
}

/// How others reach the manager.
#[derive(Clone)]
pub(crate) struct Handle {
    requests: Sender<Request>,
    wake: Arc<UnixStream>,
}

impl Handle {
    /// Sends a request and wakes the manager.
    pub(crate) fn send(&self, request: Request) -> Result<()> {
        self.requests.send(request).map_err(|_| Error::Stopped)?;
        self.wake();
        Ok(())
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask<T>(&self, request: impl FnOnce(Sender<Result<T>>) -> Request) -> Result<T> {
        let (answer, answers) = channel();
        self.send(request(answer))?;
        answers.recv().map_err(|_| Error::Stopped)?
    }

    pub(super) fn wake(&self) {
        // A full pipe wakes as well as one more byte would.
        let _ = (&*self.wake).write(&[WAKE]);
    }

    /// Descriptor that signal handlers write to.
    pub(crate) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Owns every device.
pub(crate) struct Manager {
    pub(super) config: Arc<Config>,
    pub(super) shared: Arc<Shared>,
    requests: Receiver<Request>,
    pub(super) waker: Handle,
    wake: UnixStream,
    pub(super) listener: Option<OwnedFd>,
    pub(super) presences: Vec<Presence>,
    /// Devices that are being greeted.
    pub(super) coming: Vec<Coming>,
    pub(super) retries: Vec<Retry>,
    pub(super) next_generation: u64,
}

impl Manager {
    /// A manager and how to reach it.
    pub(crate) fn new(
        config: Arc<Config>,
        shared: Arc<Shared>,
        listener: Option<OwnedFd>,
    ) -> std::io::Result<(Self, Handle)> {
        let (theirs, wake) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let (sender, requests) = channel();
        let handle = Handle {
            requests: sender,
            wake: Arc::new(theirs),
        };
        let manager = Self {
            config,
            shared,
            requests,
            waker: handle.clone(),
            wake,
            listener,
            presences: Vec::new(),
            coming: Vec::new(),
            retries: Vec::new(),
            next_generation: next_generation(),
        };
        Ok((manager, handle))
    }

    /// Runs until asked to stop.
    pub(crate) fn run(mut self) {
        loop {
            self.sleep();
            let signals = self.drain_wake();
            self.check_devices();
            self.accept_hosts();
            self.run_retries();
            for signal in signals {
                self.signalled(signal);
            }
            while let Ok(request) = self.requests.try_recv() {
                if !self.serve(request) {
                    return;
                }
            }
            self.publish();
        }
    }

    fn sleep(&self) {
        let mut fds = vec![self.wake.as_fd()];
        fds.extend(self.listener.as_ref().map(AsFd::as_fd));
        fds.extend(self.presences.iter().map(Presence::control_fd));
        let deadline = self.retries.iter().map(|r| r.at).min();
        poll::any_readable(&fds, deadline);
    }

    fn drain_wake(&mut self) -> Vec<u8> {
        let mut bytes = [0; 64];
        let mut signals = Vec::new();
        while let Ok(n @ 1..) = self.wake.read(&mut bytes) {
            signals.extend(bytes[..n].iter().filter(|&&b| b != WAKE));
        }
        signals
    }

    fn signalled(&mut self, signal: u8) {
        let result = match signal {
            SIGNAL_PLUG => {
                self.plug(PlugOptions::default(), 1, None); // a failure is an event
                Ok(())
            }
            _ => self.unplug(None),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a signal's request failed");
        }
    }

    /// Serves one request; false to end.
    fn serve(&mut self, request: Request) -> bool {
        // Whoever asked may have stopped waiting; the step is taken all the same.
        match request {
            Request::Plug(options, answer) => {
                self.plug(options, 1, Some(answer));
            }
            Request::Raised(name, result) => self.raised(&name, *result),
            Request::Unplug(name, answer) => {
                let _ = answer.send(self.unplug(name));
            }
            Request::Kill(name, answer) => {
                let _ = answer.send(self.kill(&name));
            }
            Request::Objects(change) => self.objects_changed(change),
            Request::Enable(on, answer) => {
                let _ = answer.send(self.enable(on));
            }
            Request::Stop => {
                self.retries.clear();
                self.coming.clear(); // kills their hosts, which ends their probing
                if let Err(error) = self.unplug(None) {
                    tracing::warn!(%error, "unplugging at the end");
                }
                return false;
            }
        }
        self.publish();
        true
    }

    pub(super) fn publish(&self) {
        self.shared
            .set_devices(self.presences.iter().map(Presence::seen).collect());
    }

    /// Records what happened to a device, once status shows it: who waits for the event may look.
    pub(super) fn tell(&self, event: Event, lane: Option<Arc<Progress>>) {
        self.publish();
        self.shared.record(event, lane);
    }

    /// Sections that some bound device accepts jump; the others idle.
    pub(super) fn switch(&self, switch: &Switch) -> Result<SwitchReport> {
        let accepted = |site| self.presences.iter().any(|p| p.accepts(site));
        let on = self.shared.off().is_none();
        for section in section::live().filter(|s| !accepted(s.site)) {
            section.cell.set_device_from(None);
        }
        switch.to(|s| on && !s.cell.is_pinned() && accepted(s.site))
    }

    /// Brings what came into the current plan: bound devices lower its sections, then its sleds switch.
    /// What went has been taken out before it was unmapped.
    fn objects_changed(&mut self, change: Change) {
        let kind = if change.loaded {
            EventKind::Loaded
        } else {
            EventKind::Unloaded
        };
        let report = if change.loaded && !self.presences.is_empty() {
            self.take_in_sections()
        } else {
            SwitchReport::default()
        };
        let event = Event::new(kind, "", Generation::NONE).switched(report);
        let fault = change.fault.map(|f| f.to_string()).unwrap_or_default();
        self.shared
            .record(event.detail(change.path).detail(fault), None);
    }

    fn take_in_sections(&mut self) -> SwitchReport {
        for presence in &mut self.presences {
            presence.lower_new(&self.config.limits);
            presence.appraise();
        }
        let switched = Switch::get().and_then(|switch| self.switch(switch));
        switched.unwrap_or_else(|error| {
            tracing::warn!(%error, "new sections stay on the CPU");
            SwitchReport::default()
        })
    }

    /// Finds devices whose links are down, and devices that ask to leave.
    fn check_devices(&mut self) {
        let mut lost = Vec::new();
        let mut leaving = Vec::new();
        for presence in &self.presences {
            match (presence.down(), presence.read_control()) {
                (Some(reason), _) | (None, Err(reason)) => {
                    lost.push((presence.name.clone(), reason))
                }
                (None, Ok(true)) => leaving.push(presence.name.clone()),
                (None, Ok(false)) => {}
            }
        }
        for (name, reason) in lost {
            self.lost(&name, reason);
        }
        for name in leaving {
            let _ = self.unplug_one(&name); // recorded as an event
        }
    }

    fn enable(&mut self, on: bool) -> Result<()> {
        if on == self.shared.off().is_none() {
            return Ok(());
        }
        if let Some(why) = self.shared.off().filter(|&why| why == OFF) {
            return Err(Error::Disabled(why)); // the operator's word stands above the program's
        }
        self.shared
            .set_off((!on).then_some("disabled by the program"));
        dispatch::set_enabled(on);
        let report = self.switch(Switch::get()?)?;
        let kind = if on {
            EventKind::Enabled
        } else {
            EventKind::Disabled
        };
        self.shared.record(
            Event::new(kind, "", Generation::NONE).switched(report),
            None,
        );
        Ok(())
    }
}

/// Generations of one process never repeat, whatever engines it has had.
fn next_generation() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1 << 32, std::sync::atomic::Ordering::Relaxed)
}

/// Waits that a device may take; nothing waits on a device without one.
pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(5);
