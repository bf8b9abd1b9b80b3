//! Breakpoints as a debugger sets them: one byte saved, one byte written, later put back.
//!
//! They come and go between sessions: a debugger stops all threads meanwhile, and a stop that falls
//! between a session's compare and its write is a documented limit of `/proc/self/mem`. What they meet
//! is every session until they go.

use std::collections::BTreeMap;
use std::time::Duration;

use hotsled_abi::INT3;
use hotsled_sys::procmem::ProcMem;

use super::field::Field;
use crate::failure::fail;
use crate::random::Random;
use crate::sleds::{self, SITES};
use crate::tally::TALLY;

/// Sets and clears until the field is closed.
pub fn run(field: &Field, mut random: Random) {
    while field.is_open() && field.way.takes_breakpoints() {
        let sites = (0..1 + random.below(4)).map(|_| random.below(SITES));
        let saved = set(field, sites.collect());
        std::thread::sleep(Duration::from_micros(random.below(3000) as u64));
        TALLY.breakpoints.add(saved.len() as u64);
        clear(field, &saved);
    }
}

fn set(field: &Field, sites: Vec<usize>) -> BTreeMap<usize, u8> {
    let _alone = field.sessions.write();
    let mut saved = BTreeMap::new();
    for site in sites {
        saved.entry(site).or_insert_with(|| replace(site, INT3));
    }
    field.foreign.lock().extend(saved.keys());
    saved
}

fn clear(field: &Field, saved: &BTreeMap<usize, u8>) {
    let _alone = field.sessions.write();
    for (&site, &byte) in saved {
        let was = replace(site, byte);
        if was != INT3 {
            fail(format_args!(
                "the breakpoint at site {site} became {was:#x}"
            ));
        }
    }
    field.foreign.lock().clear();
}

/// Writes the first byte of a sled and returns what was there.
fn replace(site: usize, byte: u8) -> u8 {
    let was = sleds::found(site)[0];
    let write = |mem: ProcMem| {
        // SAFETY: one byte, a breakpoint or what it replaced; no session runs, so the tail fits.
        unsafe { mem.write(sleds::address(site).get(), &[byte]) }
    };
    if let Err(error) = ProcMem::open().and_then(write) {
        fail(format_args!("a breakpoint cannot be written: {error}"));
    }
    was
}
