//! One batch over dense sites while threads call them, beside as many pointer swaps.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use hotsled_abi::{ENTRY_STRIDE, NOP8, SiteAddr, SiteId, TargetAddr};
use hotsled_patcher::{Mode, NewSite, Options, Patcher, Want};
use memmap2::{Mmap, MmapOptions};

use crate::row::{Row, median};

const MOST: usize = 100_000;
const RET: u8 = 0xc3;

/// A mapping of `MOST` entries `nop8; ret`, then one `ret` that all jump to.
fn sites() -> std::io::Result<Mmap> {
    let mut entry = [0xcc; ENTRY_STRIDE];
    entry[..8].copy_from_slice(&NOP8);
    entry[8] = RET;
    let mut file = tempfile::tempfile()?;
    file.write_all(&entry.repeat(MOST))?;
    file.write_all(&[RET; ENTRY_STRIDE])?;
    // SAFETY: the file is ours alone, without a name.
    let map = unsafe { MmapOptions::new().map_copy(&file) }?;
    map.make_exec()
}

/// Measures every size and load.
///
/// # Panics
/// When this process cannot be patched; the message says why.
pub fn run() -> Vec<Row> {
    let map = sites().expect("a temporary file to map");
    let base = map.as_ptr() as u64;
    let at = |i: usize| base + (i * ENTRY_STRIDE) as u64;
    let target = TargetAddr::new(at(MOST));
    let new: Vec<_> = (0..MOST)
        .map(|i| NewSite {
            sled: SiteAddr::new(at(i)),
            target,
        })
        .collect();
    let patcher = Patcher::new(Options::default()).expect("a process that can be patched");
    // SAFETY: every entry is sled and `ret`, every target a `ret`, and the mapping outlives the process's
    // last switch.
    let ids = unsafe { patcher.adopt(&new) }.expect("sites that are whole");
    let mut rows = Vec::new();
    for sites in [1, 100, 10_000, MOST] {
        for busy in [0, 1, 4] {
            let times = under_load(busy, sites, base, || switches(&patcher, &ids[..sites]));
            rows.extend(
                ["hotsled", "atomic-ptr"]
                    .into_iter()
                    .zip(times)
                    .map(|(scheme, us)| {
                        let ns_per_site = us * 1e3 / sites as f64;
                        Row::Switch {
                            bench: "switch",
                            scheme,
                            sites,
                            busy,
                            us,
                            ns_per_site,
                        }
                    }),
            );
        }
    }
    rows
}

fn under_load<T>(busy: usize, sites: usize, base: u64, work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| call_all(sites, base, &stop));
        }
        let result = work();
        stop.store(true, Ordering::Relaxed);
        result
    })
}

fn call_all(sites: usize, base: u64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for i in 0..sites {
            let at = base + (i * ENTRY_STRIDE) as u64;
            // SAFETY: an entry of the mapping: sled and `ret`, code of this type in either state.
            let entry = unsafe { std::mem::transmute::<u64, extern "C" fn()>(at) };
            entry();
        }
    }
}

/// Median microseconds of a batch, and of the swaps.
fn switches(patcher: &Patcher, ids: &[SiteId]) -> [f64; 2] {
    let pointers: Vec<AtomicUsize> = ids.iter().map(|_| AtomicUsize::new(0)).collect();
    let rounds = if ids.len() < 1000 { 200 } else { 20 };
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..2 * rounds {
        let want = if round % 2 == 0 {
            Want::Jump
        } else {
            Want::Idle
        };
        let wishes: Vec<_> = ids.iter().map(|id| (*id, want)).collect();
        let start = Instant::now();
        let report = patcher.switch(&wishes, Mode::AllOrNone).expect("a switch");
        times[0].push(start.elapsed().as_secs_f64() * 1e6);
        assert_eq!(report.switched.len(), ids.len());
        let start = Instant::now();
        pointers
            .iter()
            .for_each(|p| p.store(round, Ordering::Release));
        times[1].push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.map(median)
}
