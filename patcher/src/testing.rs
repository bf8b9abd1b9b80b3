//! A machine for unit tests: text that fails, is poked, and keeps a log.

use std::cell::{Cell, RefCell};
use std::io;

use hotsled_abi::{NOP8, SiteAddr, SiteId, TargetAddr, jmp_word};

use crate::Want;
use crate::batch::Batch;
use crate::edits::{Edit, State};
use crate::plan::{Home, Plan};
use crate::protocol::Machine;
use crate::sites::{Site, Sites, Word};

const FIRST: u64 = 0x1_0000;
/// Two pages apart, so that each site has a span of its own.
const STRIDE: u64 = 0x2000;

/// What idle sites hold.
pub(crate) const OLD: Word = NOP8;
/// What jumping sites hold: all of them jump equally far.
pub(crate) const NEW: Word = {
    let target = TargetAddr::new(FIRST - Site::PRETENDED_WAY);
    jmp_word(SiteAddr::new(FIRST), target)
        .unwrap()
        .to_le_bytes()
};

/// One word a site; a span a site.
#[derive(Default)]
pub(crate) struct Pretend {
    pub words: RefCell<Vec<Word>>,
    pub log: RefCell<Vec<&'static str>>,
    /// The write of this number fails, counted from 1.
    pub fail_write: Option<u32>,
    /// The sync of this number panics, counted from 1.
    pub panic_at_sync: Option<u32>,
    /// Syncs fail from this number on.
    pub fail_syncs_from: Option<u32>,
    /// At this sync, somebody writes this word to this site.
    pub poke: Option<(u32, usize, Word)>,
    pub writes: Cell<u32>,
    pub syncs: Cell<u32>,
}

impl Pretend {
    pub(crate) fn new(sites: usize) -> Self {
        Self {
            words: vec![OLD; sites].into(),
            ..Self::default()
        }
    }

    fn place(edit: &Edit) -> usize {
        ((edit.address().get() - FIRST) / STRIDE) as usize
    }
}

/// A site for tests that need no more.
pub(crate) fn leaked(address: u64) -> &'static Site {
    Box::leak(Box::new(Site::pretended(address)))
}

/// Idle sites, and a plan that makes them jump.
pub(crate) fn planned(count: u32) -> (Sites, Plan) {
    let sites = Sites::pretended((0..u64::from(count)).map(|n| FIRST + STRIDE * n));
    let edit = |n| Edit::new(SiteId(n), sites.adopted(SiteId(n)), Want::Jump);
    let plan = Plan::new((0..count).map(edit).collect(), |_| {
        (Home::Private, u64::MAX)
    });
    (sites, plan)
}

/// A plan that makes idle sites jump.
pub(crate) fn plan(count: u32) -> Plan {
    planned(count).1
}

impl Machine for Pretend {
    fn compare(&self, batch: &mut Batch<'_>, held: State) -> io::Result<()> {
        let plan = batch.plan;
        for span in &plan.spans {
            batch.sift(span.edits.clone(), held, |e| {
                self.words.borrow()[Self::place(e)]
            });
        }
        Ok(())
    }

    fn exchange(&self, batch: &mut Batch<'_>, from: State, to: State) -> io::Result<()> {
        let (plan, mut result) = (batch.plan, Ok(()));
        for span in &plan.spans {
            let edit = plan.edits.get(span.edits.start);
            if !batch.sift(span.edits.clone(), from, |e| {
                self.words.borrow()[Self::place(e)]
            }) {
                continue;
            }
            self.writes.set(self.writes.get() + 1);
            if self.fail_write == Some(self.writes.get()) {
                result = Err(io::Error::other("injected"));
                continue;
            }
            self.words.borrow_mut()[Self::place(&edit)] = edit.word(to);
            self.log.borrow_mut().push("write");
        }
        result
    }

    fn sync_cores(&self) -> io::Result<()> {
        self.syncs.set(self.syncs.get() + 1);
        self.log.borrow_mut().push("sync");
        match self.poke {
            Some((sync, site, word)) if sync == self.syncs.get() => {
                self.words.borrow_mut()[site] = word;
            }
            _ => {}
        }
        assert_ne!(self.panic_at_sync, Some(self.syncs.get()), "injected");
        match self.fail_syncs_from {
            Some(first) if first <= self.syncs.get() => Err(io::Error::other("injected")),
            _ => Ok(()),
        }
    }
}
