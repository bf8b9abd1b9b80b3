//! What the SIGTRAP handler is told before a session writes, and what stays true after it.

use crate::Want;
use crate::batch::Batch;
use crate::edits::State;
use crate::plan::Plan;
use crate::protocol::Machine;
use crate::sites::Sites;

/// The wishes of a session, published. Unless the session ends well, dropping this makes every site's record
/// what memory holds: a failure in the last phase leaves sites with their whole new word, which the next
/// session would take for foreign.
pub(crate) struct Settle<'a, M: Machine> {
    sites: &'a Sites,
    plan: &'a Plan,
    machine: &'a M,
    ended: bool,
}

impl<'a, M: Machine> Settle<'a, M> {
    /// Tells the handler where threads go that meet a site of the batch.
    pub(crate) fn publish(sites: &'a Sites, batch: &Batch<'a>, machine: &'a M) -> Self {
        let settle = Self {
            sites,
            plan: batch.plan,
            machine,
            ended: false,
        };
        record(sites, batch);
        settle
    }

    /// The session ended well: sites that were struck out are as before.
    pub(crate) fn with(mut self, batch: &Batch<'_>) {
        if !batch.refused.is_empty() {
            record(self.sites, batch);
        }
        self.ended = true;
    }
}

/// Living sites do as they shall, the others as before.
fn record(sites: &Sites, batch: &Batch<'_>) {
    if batch.is_whole() {
        return sites.publish(batch.plan.edits.wishes().iter().copied());
    }
    let does = |(id, wants, alive): (_, Want, _)| (id, wants.other_unless(alive));
    sites.publish(batch.wishes().map(does));
}

impl<M: Machine> Drop for Settle<'_, M> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut done = Batch::new(self.plan);
        if self.machine.compare(&mut done, State::New).is_ok() {
            record(self.sites, &done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NEW, Pretend, planned};
    use crate::{Mode, protocol};

    #[test]
    fn whatever_write_fails_the_record_matches_memory() {
        for fail in 1..=6 {
            let (sites, plan) = planned(2);
            let machine = Pretend {
                fail_write: Some(fail),
                ..Pretend::new(2)
            };
            let mut batch = Batch::new(&plan);
            let settle = Settle::publish(&sites, &batch, &machine);
            let wants = |at: usize| sites.find(plan.edits.get(at).site).unwrap().1;
            assert_eq!(wants(0), Want::Jump, "published before");
            let done = protocol::trap_and_rewrite(&mut batch, &machine, Mode::AllOrNone);
            assert!(done.is_err());
            drop(settle);
            for (at, word) in machine.words.borrow().iter().enumerate() {
                let jumps = wants(at) == Want::Jump;
                assert_eq!(*word == NEW, jumps, "write {fail}, site {at}");
            }
        }
    }
}
