//! Threads that flip overlapping sets of sites, as fast as they can.

use std::collections::BTreeSet;

use hotsled_patcher::{Mode, PatchError, Refusal, Report, Want};

use super::field::Field;
use crate::failure::fail;
use crate::random::Random;
use crate::sleds::SITES;
use crate::tally::TALLY;

/// Flips until the field is closed, and looks at what each session left.
pub fn run(field: &Field, mut random: Random) {
    while field.is_open() {
        let sites = set(&mut random);
        let want = [Want::Idle, Want::Jump][random.below(2)];
        let mode = [Mode::WhatYouCan, Mode::AllOrNone][random.below(2)];
        session(field, &sites, want, mode);
        field.inspect(&sites);
    }
}

/// One site, a run, a scattering, or all.
fn set(random: &mut Random) -> Vec<usize> {
    let from = random.below(SITES);
    match random.below(8) {
        0 => vec![from],
        1 => (0..SITES).collect(),
        2..=4 => (from..SITES.min(from + 1 + random.below(300))).collect(),
        _ => (0..1 + random.below(64))
            .map(|_| random.below(SITES))
            .collect(),
    }
}

fn session(field: &Field, sites: &[usize], want: Want, mode: Mode) {
    let wishes: Vec<_> = sites.iter().map(|&site| (field.ids[site], want)).collect();
    let _with_others = field.sessions.read();
    let expected = foreign(field, sites, want);
    let refused = match field.patcher.switch(&wishes, mode) {
        Ok(report) => {
            count(&report);
            report.refused
        }
        Err(PatchError::Foreign(refused)) if mode == Mode::AllOrNone => refused,
        Err(PatchError::TrapBlocked(_)) => return TALLY.held_up.add(1),
        Err(error) => fail(format_args!("a session failed: {error}")),
    };
    agree(&refused, &expected);
}

/// Sites of the set that hold a foreign breakpoint and would have to change. Such a site changes
/// neither its bytes nor its state while sessions run, since each of them refuses it.
fn foreign(field: &Field, sites: &[usize], want: Want) -> BTreeSet<usize> {
    let foreign = field.foreign.lock().clone();
    let changes = |site: &&usize| field.patcher.state(field.ids[**site]) != Some(want);
    let held = sites.iter().filter(|site| foreign.contains(site));
    held.filter(changes).copied().collect()
}

fn count(report: &Report) {
    TALLY.sessions.add(1);
    TALLY.toggles.add(report.switched.len() as u64);
}

fn agree(refused: &[Refusal], expected: &BTreeSet<usize>) {
    TALLY.refused.add(refused.len() as u64);
    let sites: BTreeSet<usize> = refused.iter().map(|r| r.site.0 as usize).collect();
    if sites != *expected {
        fail(format_args!(
            "refused {sites:?}, foreign breakpoints in {expected:?}"
        ));
    }
}
