//! A machine for unit tests: text that fails, is poked, and keeps a log.

use std::cell::{Cell, RefCell};
use std::io;

use hotsled_abi::{NOP8, SiteAddr, SiteId, TargetAddr, jmp_word};

use crate::Want;
use crate::batch::Batch;
use crate::plan::{Edit, Home, Plan, State};
use crate::protocol::Machine;
use crate::sites::{Site, Word};

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

/// A plan that makes `sites` idle sites jump.
pub(crate) fn plan(sites: u32) -> Plan {
    let edit = |site: u32| {
        let place = Site::pretended(FIRST + STRIDE * u64::from(site));
        Edit::new(SiteId(site), place, Want::Jump)
    };
    Plan::new((0..sites).map(edit).collect(), |_| {
        (Home::Private, u64::MAX)
    })
}

impl Machine for Pretend {
    fn compare(&self, batch: &mut Batch<'_>, held: State) -> io::Result<()> {
        let plan = batch.plan;
        for span in &plan.spans {
            batch.sift(span, held, |e| self.words.borrow()[Self::place(e)]);
        }
        Ok(())
    }

    fn exchange(&self, batch: &mut Batch<'_>, from: State, to: State) -> io::Result<()> {
        let (plan, mut result) = (batch.plan, Ok(()));
        for span in &plan.spans {
            let edit = &plan.edits[span.edits.start];
            if !batch.sift(span, from, |e| self.words.borrow()[Self::place(e)]) {
                continue;
            }
            self.writes.set(self.writes.get() + 1);
            if self.fail_write == Some(self.writes.get()) {
                result = Err(io::Error::other("injected"));
                continue;
            }
            self.words.borrow_mut()[Self::place(edit)] = edit.word(to);
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
