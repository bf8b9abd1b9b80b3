//! Whatever sessions follow each other, and whatever others write between them, text is what the sites were told.

mod common;

use common::{SITES, bytes, poke, sled, target, wishes};
use hotsled_abi::{INT3, NOP8, SiteId, jmp_word};
use hotsled_patcher::{Mode, PatchError, Patcher, Want};
use hotsled_sys::procmem::ProcMem;
use proptest::collection::vec;
use proptest::prelude::*;

/// Sites that sequences are about; few, so that they meet.
const FEW: usize = 24;

#[derive(Clone, Debug)]
enum Step {
    Switch(Vec<(usize, bool)>, bool),
    /// The wishes of the last switch, the other way.
    Back(bool),
    /// The same wishes once more.
    Again(bool),
    /// Somebody's breakpoint comes, or goes where it was.
    Breakpoint(usize),
    /// Somebody changes a byte behind a site.
    Padding(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let wishes = vec((0..FEW, any::<bool>()), 1..FEW);
    prop_oneof![
        3 => (wishes, any::<bool>()).prop_map(|(wishes, all)| Step::Switch(wishes, all)),
        1 => any::<bool>().prop_map(|jump| Step::Switch((0..FEW).map(|i| (i, jump)).collect(), true)),
        5 => any::<bool>().prop_map(Step::Back),
        1 => any::<bool>().prop_map(Step::Again),
        2 => (0..FEW).prop_map(Step::Breakpoint),
        1 => (0..FEW, 0xcc..=0xcf_u8).prop_map(|(site, byte)| Step::Padding(site, byte)),
    ]
}

/// The sites as they should be.
struct Model<'p> {
    patcher: &'p Patcher,
    ids: &'p [SiteId],
    jumps: [bool; FEW],
    foreign: [bool; FEW],
    padding: [u8; FEW],
    last: Vec<(usize, bool)>,
}

fn want(jumps: bool) -> Want {
    if jumps { Want::Jump } else { Want::Idle }
}

fn padding(site: usize) -> u64 {
    sled(site).get() + 15
}

impl<'p> Model<'p> {
    fn new(patcher: &'p Patcher, ids: &'p [SiteId]) -> Self {
        Self {
            patcher,
            ids,
            jumps: [false; FEW],
            foreign: [false; FEW],
            padding: [0xcc; FEW],
            last: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Switch(wishes, all) => self.switch(wishes, all),
            Step::Back(all) => {
                let back = self.last.iter().map(|&(site, jumps)| (site, !jumps));
                self.switch(back.collect(), all);
            }
            Step::Again(all) => self.switch(self.last.clone(), all),
            Step::Breakpoint(site) => {
                self.foreign[site] ^= true;
                poke(site, self.wanted(site)[0]);
            }
            Step::Padding(site, byte) => self.pad(site, byte),
        }
        (0..FEW).for_each(|site| self.check(site));
    }

    fn pad(&mut self, site: usize, byte: u8) {
        self.padding[site] = byte;
        // SAFETY: padding is never run.
        unsafe { ProcMem::open().unwrap().write(padding(site), &[byte]) }.unwrap();
    }

    fn switch(&mut self, wishes: Vec<(usize, bool)>, all: bool) {
        let asked: Vec<_> = wishes
            .iter()
            .map(|&(s, j)| (self.ids[s], want(j)))
            .collect();
        let mode = if all {
            Mode::AllOrNone
        } else {
            Mode::WhatYouCan
        };
        let result = self.patcher.switch(&asked, mode);
        let mut wanted = self.jumps;
        wishes
            .iter()
            .for_each(|&(site, jumps)| wanted[site] = jumps);
        let blocked = |&site: &usize| wanted[site] != self.jumps[site] && self.foreign[site];
        let blocked: Vec<SiteId> = (0..FEW).filter(blocked).map(|s| self.ids[s]).collect();
        let mut refused = match result {
            Err(PatchError::Foreign(refused)) if all => {
                assert!(!refused.is_empty());
                wanted = self.jumps;
                refused
            }
            other => other.unwrap().refused,
        };
        refused.sort_by_key(|r| r.site);
        assert!(refused.iter().map(|r| r.site).eq(blocked));
        for (site, jumps) in wanted.into_iter().enumerate() {
            if !self.foreign[site] {
                self.jumps[site] = jumps;
            }
        }
        self.last = wishes;
    }

    fn wanted(&self, site: usize) -> [u8; 8] {
        let mut word = match self.jumps[site] {
            false => NOP8,
            true => jmp_word(sled(site), target(site)).unwrap().to_le_bytes(),
        };
        if self.foreign[site] {
            word[0] = INT3;
        }
        word
    }

    fn check(&self, site: usize) {
        assert_eq!(bytes(site), self.wanted(site), "site {site}");
        let state = self.patcher.state(self.ids[site]);
        assert_eq!(state, Some(want(self.jumps[site])), "site {site}");
        // SAFETY: readable text; volatile, since it changes under us.
        let found = unsafe { std::ptr::read_volatile(padding(site) as *const u8) };
        assert_eq!(found, self.padding[site], "behind site {site}");
    }

    /// As it was, for the next sequence.
    fn end(mut self) {
        for site in 0..FEW {
            if self.foreign[site] {
                self.take(Step::Breakpoint(site));
            }
            self.pad(site, 0xcc);
        }
        let idle = wishes(self.ids, Want::Idle);
        self.patcher.switch(&idle, Mode::AllOrNone).unwrap();
    }
}

#[test]
fn text_is_what_the_sites_were_told() {
    let patcher = Patcher::new(common::WAYS[0].1).unwrap();
    let ids = common::adopt_all(&patcher);
    proptest!(|(steps in vec(step(), 1..24))| {
        let mut model = Model::new(&patcher, &ids);
        steps.into_iter().for_each(|step| model.take(step));
        model.end();
    });
    assert!((0..SITES).all(|site| bytes(site) == NOP8));
}
