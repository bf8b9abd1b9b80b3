//! One presence of one device, and the steps that move it from state to state.

use std::os::fd::{BorrowedFd, OwnedFd};

use std::sync::Arc;

use hotsled_abi::{Generation, SiteId};
use hotsled_link::{Client, ClientOptions, DownReason, LinkError, ModuleId};

use super::spawn::Host;
use super::state::State;
use crate::config::Limits;
use crate::error::{Error, Result, Stalled};
use crate::lane::{Lane, LaneSetup, Modules, Progress};
use crate::section::{self, Section};
use crate::shared::Seen;
use crate::status::DeviceStatus;
use crate::switch::Switch;
use crate::{epoch, plan};

/// A device from its link's first byte on.
pub(crate) struct Presence {
    pub name: String,
    pub generation: Generation,
    client: Client,
    host: Option<Host>,
    lane: Option<Lane>,
    pub state: State,
    modules: Arc<Modules>,
    /// Why sections stay on the CPU with this device, by path.
    pub refusals: Vec<(String, String)>,
}

impl Presence {
    /// Greets the host: probing.
    pub(crate) fn probe(
        name: String,
        generation: Generation,
        socket: OwnedFd,
        limits: &Limits,
    ) -> Result<Self> {
        let options = ClientOptions {
            handshake: limits.handshake,
            ..ClientOptions::default()
        };
        let client = Client::accept(socket, &options).map_err(|source| Error::Refused {
            device: name.clone(),
            source,
        })?;
        Ok(Self {
            name,
            generation,
            client,
            host: None,
            lane: None,
            state: State::Probing,
            modules: Arc::default(),
            refusals: Vec::new(),
        })
    }

    /// Owns the process that serves it, if that is our child.
    pub(crate) fn own(&mut self, host: Option<Host>) {
        self.host = host;
    }

    /// Takes a named transition.
    ///
    /// # Panics
    /// For a transition that does not exist: a defect of the caller.
    pub(crate) fn become_state(&mut self, next: State) {
        assert!(
            self.state.may_become(&next),
            "{} cannot become {}",
            self.state.name(),
            next.name()
        );
        tracing::info!(device = self.name, generation = %self.generation, from = self.state.name(), to = next.name(),
            reason = next.reason(), "device");
        self.state = next;
    }

    /// Lowers every section: lowering, then ready.
    pub(crate) fn lower(&mut self, limits: &Limits) -> Result<()> {
        self.become_state(State::Lowering);
        let wanted = self.lower_untried(limits)?;
        if wanted > 0 && self.refusals.len() == wanted {
            return Err(Error::NothingLowered {
                device: self.name.clone(),
                sections: wanted,
                reason: self.refusals[0].1.clone(),
            });
        }
        self.become_state(State::Ready);
        Ok(())
    }

    /// Lowers sections that came since. A link that fails over it is down.
    pub(crate) fn lower_new(&mut self, limits: &Limits) {
        if let Err(error) = self.lower_untried(limits) {
            self.mark_down(DownReason::Garbage(error.to_string()));
        }
    }

    /// Number of sections that the device was asked for.
    fn lower_untried(&mut self, limits: &Limits) -> Result<usize> {
        let untried = |s: &&Section| !s.cell.is_pinned() && !self.modules.tried(s.site);
        let untried: Vec<_> = section::live().filter(untried).collect();
        for section in &untried {
            let module = match self.lowered_before(section) {
                Some(module) => Some(module),
                None => self.lower_one(section, limits)?,
            };
            self.modules.set(section.site, module);
        }
        Ok(untried.len())
    }

    /// The module of a section with the same virtual ISA, as an object has that was loaded before.
    fn lowered_before(&self, section: &Section) -> Option<ModuleId> {
        let flags = section.cell.flags();
        let same = section::all().filter(|s| s.bytes == section.bytes && s.cell.flags() == flags);
        same.into_iter().find_map(|s| self.modules.get(s.site))
    }

    fn lower_one(&mut self, section: &Section, limits: &Limits) -> Result<Option<ModuleId>> {
        if section.cell.is_exact() && self.client.info().bounded {
            let reason =
                "the section demands exact operations, and the device accepts others (`--bounded`)";
            self.refusals
                .push((section.path.clone(), reason.to_owned()));
            return Ok(None);
        }
        let lowered = self
            .client
            .lower(section.site.0, &section.bytes, limits.lower);
        match lowered {
            Ok(lowered) => Ok(Some(lowered.module)),
            Err(LinkError::Refused { reason }) => {
                tracing::warn!(
                    device = self.name,
                    section = section.path,
                    reason,
                    "not lowered"
                );
                self.refusals.push((section.path.clone(), reason));
                Ok(None)
            }
            Err(source) => Err(Error::Refused {
                device: self.name.clone(),
                source,
            }),
        }
    }

    /// Starts the lane and lets dispatch use it: bound. Sleds are the caller's to switch.
    pub(crate) fn bind(&mut self, limits: &Limits, when_down: Box<dyn Fn() + Send>) -> Result<()> {
        let refused = |source| Error::Refused {
            device: self.name.clone(),
            source,
        };
        let setup = LaneSetup {
            generation: self.generation,
            queue: self.client.queue().map_err(refused)?,
            info: self.client.info().clone(),
            modules: self.modules.clone(),
            chunk_limit: limits.chunk,
            when_down,
        };
        let lane = Lane::start(setup).map_err(refused)?;
        plan::bind(self.generation, lane.counter())
            .map_err(|_| Error::TooManyDevices(plan::MAX_DEVICES))?;
        self.lane = Some(lane);
        self.become_state(State::Bound);
        Ok(())
    }

    /// Whether it has code for a section and may be offered it.
    pub(crate) fn accepts(&self, site: SiteId) -> bool {
        self.state == State::Bound && self.modules.get(site).is_some()
    }

    /// Sets from which size on each section is worth this device.
    pub(crate) fn appraise(&self) {
        let Some(lane) = &self.lane else { return };
        let offered = |s: &&Section| self.accepts(s.site) && s.adopted().is_some();
        for section in section::live().filter(offered) {
            crate::worth::update(section.cell, lane.progress().round_trip, self.client.info());
        }
    }

    /// Withdraws it from dispatch, waits until nobody is inside, and brings chunks home.
    ///
    /// Returns what the drain took in microseconds. The link may be up (chunks are committed) or down
    /// (they go back to their calls).
    pub(crate) fn withdraw(&mut self, switch: &Switch, limits: &Limits) -> Result<f64> {
        plan::retire(self.generation);
        let drained = epoch::drain(self.generation, switch.barriers, limits.drain);
        let Some(lane) = self.lane.take() else {
            return Ok(0.0);
        };
        match drained {
            Ok(took) => {
                lane.stop();
                Ok(took.as_secs_f64() * 1e6)
            }
            Err(stragglers) => {
                std::mem::forget(lane); // somebody may still use it
                Err(Error::Stalled {
                    device: self.name.clone(),
                    threads: stragglers.iter().map(Stalled::from).collect(),
                })
            }
        }
    }

    /// Ends the link in good order and waits for the host to end.
    pub(crate) fn farewell(&mut self, limits: &Limits) -> std::result::Result<(), LinkError> {
        let ended = self.client.goodbye(limits.handshake);
        if let Some(host) = self.host.take() {
            host.reap(limits.handshake);
        }
        ended
    }

    /// Kills the host, if it is our child; a link that is down stays down.
    pub(crate) fn kill(&mut self) -> bool {
        self.host.as_mut().map(Host::kill).is_some()
    }

    /// Says that the link is down, for the first reason.
    pub(crate) fn mark_down(&self, reason: DownReason) -> DownReason {
        let health = self.client.health();
        health.mark_down(reason.clone());
        health.down().unwrap_or(reason)
    }

    /// Why the link is down, if the lane or the host says so.
    pub(crate) fn down(&self) -> Option<DownReason> {
        self.client.health().down()
    }

    pub(crate) fn control_fd(&self) -> BorrowedFd<'_> {
        self.client.control_fd()
    }

    /// What the host said unasked: `Ok(true)` for a wish to leave.
    pub(crate) fn read_control(&self) -> std::result::Result<bool, DownReason> {
        match self.client.read_control() {
            Ok(event) => Ok(event.is_some()),
            Err(LinkError::Down(reason)) => Err(reason),
            Err(error) => Err(DownReason::Garbage(error.to_string())),
        }
    }

    /// What status shows.
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            status: self.status(),
            lane: self.progress(),
        }
    }

    /// What its lane counts, if it has one.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        self.lane.as_ref().map(|lane| lane.progress().clone())
    }

    fn status(&self) -> DeviceStatus {
        let info = self.client.info();
        DeviceStatus {
            name: self.name.clone(),
            generation: self.generation.0,
            state: self.state.name().to_owned(),
            reason: self.state.reason().map(str::to_owned),
            kind: info.kind.clone(),
            simulated: info.simulated,
            memory: info.memory,
            host_pid: self.host.as_ref().map(Host::pid),
            round_trip_us: self
                .lane
                .as_ref()
                .map(|l| l.progress().round_trip.as_secs_f64() * 1e6),
            refused_sections: self.refusals.clone(),
            chunks: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }
}
