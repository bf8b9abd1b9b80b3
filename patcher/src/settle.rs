//! What the SIGTRAP handler is told before a session writes, and what stays true after it.

use crate::batch::Batch;
use crate::plan::{Edit, Plan};
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
        settle.record(batch);
        settle
    }

    /// The session ended well: sites that were struck out are as before.
    pub(crate) fn with(mut self, batch: &Batch<'_>) {
        self.record(batch);
        self.ended = true;
    }

    fn record(&self, batch: &Batch<'_>) {
        for (at, edit) in self.plan.edits.iter().enumerate() {
            let want = if batch.lives(at) {
                edit.wants
            } else {
                edit.wanted()
            };
            if let Ok((site, _)) = self.sites.get(edit.site) {
                site.publish(want);
            }
        }
    }
}

impl<M: Machine> Drop for Settle<'_, M> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut done = Batch::new(self.plan);
        let new = |e: &Edit| e.to;
        if self.machine.compare(&mut done, new).is_ok() {
            self.record(&done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::{NewSite, Site, Word};
    use crate::testing::{NEW, Pretend, plan};
    use crate::{Mode, Want, protocol};
    use hotsled_abi::{NOP8, SiteAddr, SiteId, TargetAddr};

    #[repr(align(8))]
    struct Sleds([Word; 2]);

    static SLEDS: Sleds = Sleds([NOP8; 2]);

    fn sites() -> Sites {
        let new = SLEDS.0.each_ref().map(|sled| {
            let sled = SiteAddr::new(sled.as_ptr() as u64);
            let target = TargetAddr::new(sled.get() - 0x777);
            // SAFETY: a static of this program.
            unsafe { Site::new(&NewSite { sled, target }) }.unwrap()
        });
        let mut sites = Sites::default();
        sites.adopt(new.into());
        sites
    }

    #[test]
    fn whatever_write_fails_the_record_matches_memory() {
        let sites = sites();
        for fail in 1..=6 {
            let machine = Pretend {
                fail_write: Some(fail),
                ..Pretend::new(2)
            };
            let plan = plan(2);
            let mut batch = Batch::new(&plan);
            let settle = Settle::publish(&sites, &batch, &machine);
            assert_eq!(
                sites.get(SiteId(0)).unwrap().1,
                Want::Jump,
                "published before"
            );
            let done = protocol::trap_and_rewrite(&mut batch, &machine, Mode::AllOrNone);
            assert!(done.is_err());
            drop(settle);
            for (site, word) in (0..).zip(machine.words.borrow().iter()) {
                let jumps = sites.get(SiteId(site)).unwrap().1 == Want::Jump;
                assert_eq!(*word == NEW, jumps, "write {fail}, site {site}");
            }
        }
    }
}
