//! The engine's one thread: it sleeps in poll until something happens, then takes one step at a time.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use hotsled_abi::Generation;
use hotsled_link::DownReason;
use hotsled_sys::{poll, seqpacket};

use super::presence::Presence;
use super::spawn;
use super::state::State;
use crate::config::{Config, PlugOptions};
use crate::dispatch;
use crate::error::{Error, Result};
use crate::events::{Event, EventKind};
use crate::plan;
use crate::section;
use crate::shared::Shared;
use crate::switch::{Switch, SwitchReport};

/// Bytes on the wake pipe; signals write the latter two.
const WAKE: u8 = b'w';
pub(crate) const SIGNAL_PLUG: u8 = b'p';
pub(crate) const SIGNAL_UNPLUG: u8 = b'u';

/// What others ask of the manager, with where to answer.
pub(crate) enum Request {
    /// Plug a simulated device; answers its name.
    Plug(PlugOptions, Sender<Result<String>>),
    /// Unplug one, or all.
    Unplug(Option<String>, Sender<Result<()>>),
    /// SIGKILL the host of one.
    Kill(String, Sender<Result<()>>),
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

    fn wake(&self) {
        // A full pipe wakes as well as one more byte would.
        let _ = (&*self.wake).write(&[WAKE]);
    }

    /// Descriptor that signal handlers write to.
    pub(crate) fn wake_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&*self.wake)
    }
}

/// A plug to try again.
struct Retry {
    at: Instant,
    options: PlugOptions,
    attempt: u32,
}

/// Owns every device.
pub(crate) struct Manager {
    config: Arc<Config>,
    shared: Arc<Shared>,
    requests: Receiver<Request>,
    waker: Handle,
    wake: UnixStream,
    listener: Option<OwnedFd>,
    presences: Vec<Presence>,
    retries: Vec<Retry>,
    next_generation: u64,
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
            SIGNAL_PLUG => self.plug(PlugOptions::default()).map(drop),
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
                let _ = answer.send(self.plug(options));
            }
            Request::Unplug(name, answer) => {
                let _ = answer.send(self.unplug(name));
            }
            Request::Kill(name, answer) => {
                let _ = answer.send(self.kill(&name));
            }
            Request::Enable(on, answer) => {
                let _ = answer.send(self.enable(on));
            }
            Request::Stop => {
                self.retries.clear();
                if let Err(error) = self.unplug(None) {
                    tracing::warn!(%error, "unplugging at the end");
                }
                return false;
            }
        }
        self.publish();
        true
    }

    fn publish(&self) {
        self.shared
            .set_devices(self.presences.iter().map(Presence::status).collect());
    }

    fn plug(&mut self, options: PlugOptions) -> Result<String> {
        self.try_plug(options, 1)
    }

    fn try_plug(&mut self, options: PlugOptions, attempt: u32) -> Result<String> {
        if let Some(why) = self.shared.off() {
            return Err(Error::Disabled(why));
        }
        let name = self.free_name(&options)?;
        let result = spawn::start(&self.config.host, &name, &options.arguments)
            .and_then(|(host, socket)| self.bring_up(name.clone(), socket, Some(host)));
        if let Err(error) = &result {
            self.refused(&name, error);
            self.schedule(options, attempt, error);
        }
        result.map(|()| name)
    }

    fn free_name(&self, options: &PlugOptions) -> Result<String> {
        let taken = |name: &str| self.presences.iter().any(|p| p.name == name);
        match &options.name {
            Some(name) if taken(name) => Err(Error::NameTaken(name.clone())),
            Some(name) => Ok(name.clone()),
            None => Ok((0..)
                .map(|n| format!("sim{n}"))
                .find(|n| !taken(n))
                .expect("a free number")),
        }
    }

    fn schedule(&mut self, options: PlugOptions, attempt: u32, error: &Error) {
        let refused = matches!(error, Error::Refused { .. } | Error::NothingLowered { .. });
        if let (true, Some(wait)) = (refused, self.config.retry.wait(attempt)) {
            tracing::info!(?wait, attempt, "plugging again later");
            self.retries.push(Retry {
                at: Instant::now() + wait,
                options,
                attempt: attempt + 1,
            });
        }
    }

    fn run_retries(&mut self) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.retries)
            .into_iter()
            .partition(|r| r.at <= now);
        self.retries = later;
        let due: Vec<Retry> = due;
        for retry in due {
            let _ = self.try_plug(retry.options, retry.attempt); // recorded as an event
        }
    }

    /// Probing, lowering, ready, bound, sleds switched. On failure nothing is left behind.
    fn bring_up(&mut self, name: String, socket: OwnedFd, host: Option<spawn::Host>) -> Result<()> {
        let began = Instant::now();
        let switch = Switch::get()?;
        let sections = section::registry()?;
        let generation = Generation(self.next_generation);
        self.next_generation += 1;
        let mut presence = Presence::probe(name, generation, socket, host, &self.config.limits)?;
        let lowered = presence.lower(sections, &self.config.limits);
        let waker = self.waker.clone();
        let bound = lowered
            .and_then(|()| presence.bind(&self.config.limits, Box::new(move || waker.wake())));
        if let Err(error) = bound {
            presence.become_state(State::Refused(error.to_string()));
            return Err(error);
        }
        presence.appraise(sections);
        let lane = presence.status().work;
        self.presences.push(presence);
        match self.switch(switch) {
            Ok(report) => {
                let event = Event::new(
                    EventKind::Plug,
                    &self.presences.last().expect("just pushed").name,
                    generation,
                );
                self.shared.record(
                    event.switched(report).detail(format!(
                        "ready after {:.1} ms",
                        began.elapsed().as_secs_f64() * 1e3
                    )),
                    lane,
                );
                Ok(())
            }
            Err(error) => {
                let mut presence = self.presences.pop().expect("just pushed");
                let _ = presence.withdraw(switch, &self.config.limits);
                let _ = presence.farewell(&self.config.limits);
                presence.become_state(State::Lost(error.to_string()));
                Err(error)
            }
        }
    }

    fn refused(&self, name: &str, error: &Error) {
        tracing::warn!(device = name, %error, "refused");
        self.shared.record(
            Event::new(EventKind::Refused, name, Generation::NONE).detail(error.to_string()),
            None,
        );
    }

    /// Sections that some bound device accepts jump; the others idle.
    fn switch(&self, switch: &Switch) -> Result<SwitchReport> {
        let accepted = |site| self.presences.iter().any(|p| p.accepts(site));
        let on = self.shared.off().is_none();
        for section in section::registry()?.iter().filter(|s| !accepted(s.site)) {
            section.cell.set_device_from(None);
        }
        switch.to(|s| on && !s.cell.is_pinned() && accepted(s.site))
    }

    fn unplug(&mut self, name: Option<String>) -> Result<()> {
        let names: Vec<_> = match name {
            Some(name) if !self.presences.iter().any(|p| p.name == name) => {
                return Err(Error::NoDevice(name));
            }
            Some(name) => vec![name],
            None => self.presences.iter().map(|p| p.name.clone()).collect(),
        };
        names
            .into_iter()
            .try_for_each(|name| self.unplug_one(&name))
    }

    /// Plan without it, sleds idle if no device is left, drain, evacuate, farewell.
    fn unplug_one(&mut self, name: &str) -> Result<()> {
        let Some(mut presence) = self.take(name) else {
            return Ok(());
        };
        let switch = Switch::get()?;
        presence.become_state(State::Draining);
        plan::retire(presence.generation);
        let report = self.switch(switch)?;
        let lane = presence.status().work;
        let drained = presence.withdraw(switch, &self.config.limits);
        presence.become_state(State::Evacuating);
        let ended = presence.farewell(&self.config.limits);
        let next = match (&drained, ended) {
            (Err(error), _) => State::Lost(error.to_string()),
            (_, Err(error)) => State::Lost(error.to_string()),
            _ => State::Gone,
        };
        presence.become_state(next);
        let event = Event::new(EventKind::Unplug, name, presence.generation).switched(report);
        self.shared.record(
            event.drained(drained.as_ref().copied().unwrap_or(0.0)),
            lane,
        );
        drained.map(drop)
    }

    fn take(&mut self, name: &str) -> Option<Presence> {
        let at = self.presences.iter().position(|p| p.name == name)?;
        Some(self.presences.remove(at))
    }

    fn kill(&mut self, name: &str) -> Result<()> {
        let presence = self.presences.iter_mut().find(|p| p.name == name);
        match presence.map(Presence::kill) {
            Some(true) => Ok(()),
            _ => Err(Error::NoDevice(name.to_owned())),
        }
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

    /// Surprise removal: as unplugging, but what is in flight is run again on the CPU.
    fn lost(&mut self, name: &str, reason: DownReason) {
        let Some(mut presence) = self.take(name) else {
            return;
        };
        let reason = presence.mark_down(reason);
        plan::retire(presence.generation);
        let lane = presence.status().work;
        let switched = Switch::get().and_then(|s| self.switch(s));
        let drained = Switch::get().and_then(|s| presence.withdraw(s, &self.config.limits));
        presence.kill();
        presence.become_state(State::Lost(reason.to_string()));
        if let Err(error) = switched.as_ref().map(drop).and(drained.as_ref().map(drop)) {
            tracing::error!(device = name, %error, "after a loss");
        }
        let event =
            Event::new(EventKind::Lost, name, presence.generation).detail(reason.to_string());
        let event = event
            .switched(switched.unwrap_or_default())
            .drained(drained.unwrap_or(0.0));
        self.shared.record(event, lane);
    }

    /// Hosts that connect by themselves.
    fn accept_hosts(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let ready = seqpacket::readable(listener.as_fd(), Instant::now()).unwrap_or(false);
        if !ready {
            return;
        }
        let accepted = seqpacket::accept(listener.as_fd());
        let own = accepted.and_then(|socket| Ok((seqpacket::peer_uid(socket.as_fd())?, socket)));
        match own {
            Ok((uid, socket)) if uid == hotsled_sys::uid() => {
                let name = self
                    .free_name(&PlugOptions::default())
                    .expect("numbers do not run out");
                let result = self.bring_up(name.clone(), socket, None);
                if let Err(error) = result {
                    self.refused(&name, &error);
                }
            }
            Ok((uid, _)) => tracing::warn!(uid, "a host of another user was turned away"),
            Err(error) => tracing::warn!(%error, "a host could not be accepted"),
        }
    }

    fn enable(&mut self, on: bool) -> Result<()> {
        if on == self.shared.off().is_none() {
            return Ok(());
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
