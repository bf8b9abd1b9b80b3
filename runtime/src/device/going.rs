//! How a device goes: asked to, or torn out.

use hotsled_link::DownReason;

use super::manager::Manager;
use super::presence::Presence;
use super::state::State;
use crate::error::{Error, Result};
use crate::events::{Event, EventKind};
use crate::plan;
use crate::switch::{Switch, SwitchReport};

impl Manager {
    /// Unplugs one, or all; every one is taken out, and the first failure is told.
    pub(super) fn unplug(&mut self, name: Option<String>) -> Result<()> {
        let names: Vec<_> = match name {
            Some(name) if !self.presences.iter().any(|p| p.name == name) => {
                return Err(Error::NoDevice(name));
            }
            Some(name) => vec![name],
            None => self.presences.iter().map(|p| p.name.clone()).collect(),
        };
        let results: Vec<_> = names.iter().map(|name| self.unplug_one(name)).collect();
        results.into_iter().collect()
    }

    /// Takes a device out in good order.
    ///
    /// 1. Out of the plan: nobody new enters its generation.
    /// 2. Sleds idle where no other device takes the section. Sleds that cannot be switched now (a
    ///    debugger is attached) still lead to dispatch, which finds no plan and runs the CPU body.
    /// 3. Drain: nobody is inside any more. 4. The lane ends: chunks in flight come home.
    /// 5. Farewell; the host ends and is reaped.
    pub(super) fn unplug_one(&mut self, name: &str) -> Result<()> {
        let Some(mut presence) = self.take(name) else {
            return Ok(());
        };
        presence.become_state(State::Draining);
        let lane = presence.progress();
        let (report, drained) = self.clear(&mut presence);
        presence.become_state(State::Evacuating);
        let ended = presence.farewell(&self.config.limits);
        let next = match (&drained, ended) {
            (Err(error), _) => State::Lost(error.to_string()),
            (_, Err(error)) => State::Lost(error.to_string()),
            _ => State::Gone,
        };
        let detail = next.reason().unwrap_or_default().to_owned();
        presence.become_state(next);
        let event = Event::new(EventKind::Unplug, name, presence.generation).switched(report);
        let took = drained.as_ref().copied().unwrap_or(0.0);
        self.tell(event.drained(took).detail(detail), lane);
        drained.map(drop)
    }

    /// Surprise removal: as unplugging, but what is in flight is run again on the CPU.
    pub(super) fn lost(&mut self, name: &str, reason: DownReason) {
        let Some(mut presence) = self.take(name) else {
            return;
        };
        let reason = presence.mark_down(reason);
        let lane = presence.progress();
        let (report, drained) = self.clear(&mut presence);
        presence.kill();
        presence.become_state(State::Lost(reason.to_string()));
        if let Err(error) = &drained {
            tracing::error!(device = name, %error, "after a loss");
        }
        let event = Event::new(EventKind::Lost, name, presence.generation)
            .switched(report)
            .drained(drained.unwrap_or(0.0))
            .detail(reason.to_string());
        self.tell(event, lane);
    }

    /// Steps 1 to 4 of [`Self::unplug_one`]; what the switch did and what the drain took.
    fn clear(&self, presence: &mut Presence) -> (SwitchReport, Result<f64>) {
        plan::retire(presence.generation);
        let switched = Switch::get().and_then(|switch| self.switch(switch));
        let report = switched.unwrap_or_else(|error| {
            tracing::warn!(%error, "sleds stay as they are; dispatch runs the CPU bodies");
            SwitchReport::default()
        });
        let drained =
            Switch::get().and_then(|switch| presence.withdraw(switch, &self.config.limits));
        (report, drained)
    }

    fn take(&mut self, name: &str) -> Option<Presence> {
        let at = self.presences.iter().position(|p| p.name == name)?;
        Some(self.presences.remove(at))
    }

    pub(super) fn kill(&mut self, name: &str) -> Result<()> {
        let presence = self.presences.iter_mut().find(|p| p.name == name);
        match presence.map(Presence::kill) {
            Some(true) => Ok(()),
            Some(false) => Err(Error::NotOurs(name.to_owned())),
            None => Err(Error::NoDevice(name.to_owned())),
        }
    }
}
