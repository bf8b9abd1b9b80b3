//! How a device comes: its host is started or connects, is greeted on a thread of its own, and is bound.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::Sender;
use std::time::Instant;

use hotsled_abi::Generation;
use hotsled_sys::seqpacket;

use super::manager::{Manager, Request};
use super::presence::Presence;
use super::spawn::{self, Host};
use super::state::State;
use crate::config::{Limits, PlugOptions};
use crate::error::{Error, Result};
use crate::events::{Event, EventKind};
use crate::objects;
use crate::switch::Switch;

/// A device that is being greeted. Dropping it kills its host, which ends the greeting.
pub(super) struct Coming {
    name: String,
    host: Option<Host>,
    began: Instant,
    /// What to try again; none for a host that came by itself.
    options: Option<PlugOptions>,
    attempt: u32,
    answer: Option<Sender<Result<String>>>,
}

/// A plug to try again.
pub(super) struct Retry {
    pub at: Instant,
    options: PlugOptions,
    attempt: u32,
}

impl Manager {
    /// Starts a host and its greeting; whoever asked is answered when it is bound or refused.
    pub(super) fn plug(
        &mut self,
        options: PlugOptions,
        attempt: u32,
        answer: Option<Sender<Result<String>>>,
    ) {
        let mut coming = Coming {
            name: String::new(),
            host: None,
            began: Instant::now(),
            options: Some(options.clone()),
            attempt,
            answer,
        };
        let admitted = self.admit(&options);
        let started = admitted.and_then(|name| {
            coming.name = name;
            spawn::start(&self.config.host, &coming.name, &options)
        });
        match started {
            Ok((host, socket)) => {
                coming.host = Some(host);
                self.greet(coming, socket);
            }
            Err(error) => self.finish(coming, Err(error)),
        }
    }

    fn admit(&self, options: &PlugOptions) -> Result<String> {
        match self.shared.off() {
            Some(why) => Err(Error::Disabled(why)),
            None => self.free_name(options),
        }
    }

    fn free_name(&self, options: &PlugOptions) -> Result<String> {
        let present = |name: &str| self.presences.iter().any(|p| p.name == name);
        let taken = |name: &str| present(name) || self.coming.iter().any(|c| c.name == name);
        match &options.name {
            Some(name) if taken(name) => Err(Error::NameTaken(name.clone())),
            Some(name) => Ok(name.clone()),
            None => Ok((0..)
                .map(|n| format!("{}{n}", options.kind.word()))
                .find(|n| !taken(n))
                .expect("a free number")),
        }
    }

    /// Greets and lowers on a thread of its own, so that a slow host delays nobody else.
    fn greet(&mut self, coming: Coming, socket: OwnedFd) {
        let name = coming.name.clone();
        let generation = Generation(self.next_generation);
        self.next_generation += 1;
        let (config, handle) = (self.config.clone(), self.waker.clone());
        let greeting = move || {
            let raised = probe(name.clone(), generation, socket, &config.limits);
            // An engine that has stopped wants no devices: the presence is dropped.
            let _ = handle.send(Request::Raised(name, Box::new(raised)));
        };
        let thread = std::thread::Builder::new().name("hotsled-probe".into());
        match thread.spawn(greeting) {
            Ok(_) => self.coming.push(coming),
            Err(error) => self.finish(coming, Err(Error::Thread(error))),
        }
    }

    /// The greeting of a device has ended: bind it, or say why not.
    pub(super) fn raised(&mut self, name: &str, result: Result<Presence>) {
        let Some(at) = self.coming.iter().position(|c| c.name == name) else {
            return; // given up meanwhile
        };
        let mut coming = self.coming.remove(at);
        let host = coming.host.take();
        let bound = result.and_then(|mut presence| {
            presence.own(host);
            self.settle(presence, coming.began)
        });
        self.finish(coming, bound);
    }

    /// Records a refusal, plans another attempt, answers.
    fn finish(&mut self, coming: Coming, result: Result<()>) {
        if let Err(error) = &result {
            self.refused(&coming.name, error);
            self.schedule(&coming, error);
        }
        self.publish();
        if let Some(answer) = coming.answer {
            let _ = answer.send(result.map(|()| coming.name)); // it may have stopped waiting
        }
    }

    fn refused(&self, name: &str, error: &Error) {
        tracing::warn!(device = name, %error, "refused");
        if matches!(error, Error::Disabled(_) | Error::NameTaken(_)) {
            return; // no device was looked at
        }
        let event = Event::new(EventKind::Refused, name, Generation::NONE);
        self.shared.record(event.detail(error.to_string()), None);
    }

    fn schedule(&mut self, coming: &Coming, error: &Error) {
        let refused = matches!(error, Error::Refused { .. } | Error::NothingLowered { .. });
        let wait = self.config.retry.wait(coming.attempt).filter(|_| refused);
        if let (Some(wait), Some(options)) = (wait, &coming.options) {
            tracing::info!(?wait, attempt = coming.attempt, "plugging again later");
            self.retries.push(Retry {
                at: Instant::now() + wait,
                options: options.clone(),
                attempt: coming.attempt + 1,
            });
        }
    }

    pub(super) fn run_retries(&mut self) {
        let now = Instant::now();
        let (due, later): (Vec<_>, _) = std::mem::take(&mut self.retries)
            .into_iter()
            .partition(|r| r.at <= now);
        self.retries = later;
        for retry in due {
            self.plug(retry.options, retry.attempt, None);
        }
    }

    /// Bound, and sleds switched. On failure nothing is left behind.
    fn settle(&mut self, mut presence: Presence, began: Instant) -> Result<()> {
        if let Some(why) = self.shared.off() {
            return Err(Error::Disabled(why));
        }
        let switch = Switch::get()?;
        let waker = self.waker.clone();
        let bound = presence.bind(&self.config.limits, Box::new(move || waker.wake()));
        if let Err(error) = bound {
            presence.become_state(State::Refused(error.to_string()));
            return Err(error);
        }
        presence.lower_new(&self.config.limits); // what came while it was greeted
        presence.appraise();
        let (name, generation) = (presence.name.clone(), presence.generation);
        let lane = presence.progress();
        self.presences.push(presence);
        let report = match self.switch(switch) {
            Ok(report) => report,
            Err(error) => {
                self.undo(switch, &error);
                return Err(error);
            }
        };
        let took = began.elapsed().as_secs_f64() * 1e3;
        let event = Event::new(EventKind::Plug, &name, generation).switched(report);
        self.tell(event.detail(format!("ready after {took:.1} ms")), lane);
        Ok(())
    }

    /// Takes back the device bound last, whose sleds could not be switched.
    fn undo(&mut self, switch: &Switch, why: &Error) {
        let mut presence = self.presences.pop().expect("just pushed");
        if let Err(error) = presence.withdraw(switch, &self.config.limits) {
            tracing::error!(%error, "taking back a device");
        }
        let _ = presence.farewell(&self.config.limits); // the reason is told by `why`
        presence.become_state(State::Lost(why.to_string()));
    }

    /// Hosts that connect by themselves.
    pub(super) fn accept_hosts(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let ready = seqpacket::readable(listener.as_fd(), Instant::now()).unwrap_or(false);
        if !ready {
            return;
        }
        let accepted = seqpacket::accept(listener.as_fd());
        let peer = accepted.and_then(|socket| Ok((seqpacket::peer_uid(socket.as_fd())?, socket)));
        match peer {
            Ok((uid, socket)) if uid == hotsled_sys::uid() => self.came(socket),
            Ok((uid, _)) => tracing::warn!(uid, "a host of another user was turned away"),
            Err(error) => tracing::warn!(%error, "a host could not be accepted"),
        }
    }

    fn came(&mut self, socket: OwnedFd) {
        let name = match self.admit(&PlugOptions::default()) {
            Ok(name) => name,
            Err(error) => return self.refused("a host that connected", &error),
        };
        let coming = Coming {
            name,
            host: None,
            began: Instant::now(),
            options: None,
            attempt: 1,
            answer: None,
        };
        self.greet(coming, socket);
    }
}

/// Probing, lowering, ready.
fn probe(
    name: String,
    generation: Generation,
    socket: OwnedFd,
    limits: &Limits,
) -> Result<Presence> {
    objects::refresh();
    tracing::info!(device = name, %generation, from = "absent", to = "probing", "device");
    let mut presence = Presence::probe(name, generation, socket, limits)?;
    match presence.lower(limits) {
        Ok(()) => Ok(presence),
        Err(error) => {
            presence.become_state(State::Refused(error.to_string()));
            Err(error)
        }
    }
}
