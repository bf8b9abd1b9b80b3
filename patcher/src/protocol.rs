//! The one procedure that changes live code.

use std::io;
use std::time::Instant;

use hotsled_abi::{INT3, SLED_LEN, SiteId};
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::procmem::ProcMem;

use crate::{Edit, PatchError, Plan, Refusal};

/// What a finished run says about itself.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub switched: Vec<SiteId>,
    pub refused: Vec<Refusal>,
    pub phase_us: [f64; 3],
    pub syncs: u32,
}

/// Reads and writes text, and serialises cores.
pub(crate) trait Machine {
    fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()>;
    /// Writes code that other threads may be executing; only [`rewrite`] may call it.
    fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()>;
    fn sync_cores(&self) -> io::Result<()>;
}

/// This process.
pub(crate) struct Own {
    pub mem: ProcMem,
    pub barriers: Barriers,
}

impl Machine for Own {
    fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.mem.read(address, bytes)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: only `rewrite` calls this, whose steps keep every visible state valid code.
        unsafe { self.mem.write(address, bytes) }
    }

    fn sync_cores(&self) -> io::Result<()> {
        if cfg!(hotsled_break = "core-sync") {
            return Ok(());
        }
        self.barriers.sync_cores()
    }
}

/// Finds the sites of `plan` that do not hold what they should, without writing anything.
pub(crate) fn verify(plan: &Plan, machine: &impl Machine) -> Result<Vec<Refusal>, PatchError> {
    let run = Run::new(plan, machine);
    let images = run.read_all("verify")?;
    Ok(run
        .mismatches(&images, |e| e.from)
        .into_iter()
        .map(|(_, refusal)| refusal)
        .collect())
}

/// Switches every site of `plan` from its old to its new word under running threads.
///
/// A thread executes one of three things at any site: the old instruction, the breakpoint (which the
/// SIGTRAP handler turns into old or new, both legal), or the new instruction.
///
/// 1. Compare every word with its expected old bytes; put `int3` in front of those that match.
/// 2. Sync cores: no core will fetch the old first byte any more, so none can start the old
///    instruction; one that already has will have retired it.
/// 3. Compare again; write the tails behind the breakpoints. Nobody decodes them.
/// 4. Sync cores: every core sees the new tails before any sees a new first byte.
/// 5. Compare again; write the first bytes.
/// 6. Sync cores: no core meets the breakpoint any more.
/// 7. Read back; a difference is reported.
///
/// Each sync is one membarrier for the whole batch. The order is that of Linux's
/// `smp_text_poke_batch_finish` (arch/x86/kernel/alternative.c), which Intel and AMD reviewed for
/// kernel text; Intel SDM vol. 3, 9.1.3 is the rule behind it.
///
/// The caller has published what the SIGTRAP handler does with each site before calling.
pub(crate) fn rewrite(plan: &Plan, machine: &impl Machine) -> Result<Outcome, PatchError> {
    let mut run = Run::new(plan, machine);
    let undo = Undo {
        run: &run,
        armed: std::cell::Cell::new(true),
    };
    let started = Instant::now();
    run.phase("trap", |e| e.from, Edit::trapping_old)?; // steps 1 and 2
    let trapped = Instant::now();
    run.phase("tail", Edit::trapping_old, Edit::trapping_new)?; // steps 3 and 4
    let tailed = Instant::now();
    run.phase("head", Edit::trapping_new, |e| e.to)?; // steps 5 and 6
    undo.armed.set(false);
    drop(undo);
    let done = Instant::now();
    let images = run.read_all("read back")?;
    run.drop_mismatches(&images, |e| e.to); // step 7
    run.phase_us =
        [trapped - started, tailed - trapped, done - tailed].map(|d| d.as_secs_f64() * 1e6);
    Ok(run.finish())
}

/// One batch under way. `alive[i]` says that edit `i` is still part of it.
struct Run<'a, M> {
    plan: &'a Plan,
    machine: &'a M,
    alive: std::cell::RefCell<Vec<bool>>,
    refused: std::cell::RefCell<Vec<Refusal>>,
    phase_us: [f64; 3],
    syncs: std::cell::Cell<u32>,
}

type Word = [u8; SLED_LEN];

impl<'a, M: Machine> Run<'a, M> {
    fn new(plan: &'a Plan, machine: &'a M) -> Self {
        let alive = vec![true; plan.edits.len()].into();
        Self {
            plan,
            machine,
            alive,
            refused: Vec::new().into(),
            phase_us: [0.0; 3],
            syncs: 0.into(),
        }
    }

    /// Compare, write, sync.
    fn phase(
        &self,
        name: &'static str,
        expected: impl Fn(&Edit) -> Word,
        wanted: impl Fn(&Edit) -> Word,
    ) -> Result<(), PatchError> {
        let mut images = self.read_all(name)?;
        self.drop_mismatches(&images, expected);
        for (span, image) in self.plan.spans.iter().zip(&mut images) {
            self.write_span(span, image, &wanted)
                .map_err(|source| PatchError::Interrupted {
                    phase: name,
                    source,
                })?;
        }
        self.syncs.set(self.syncs.get() + 1);
        self.machine
            .sync_cores()
            .map_err(|source| PatchError::Interrupted {
                phase: name,
                source,
            })
    }

    fn write_span(
        &self,
        span: &std::ops::Range<usize>,
        image: &mut [u8],
        wanted: &impl Fn(&Edit) -> Word,
    ) -> io::Result<()> {
        let (start, _) = self.plan.extent(span);
        let alive = self.alive.borrow();
        let mut any = false;
        for at in span.clone().filter(|&at| alive[at]) {
            let edit = &self.plan.edits[at];
            let offset = (edit.address.get() - start) as usize;
            image[offset..offset + SLED_LEN].copy_from_slice(&wanted(edit));
            any = true;
        }
        if any {
            self.machine.write(start, image)
        } else {
            Ok(())
        }
    }

    fn read_all(&self, phase: &'static str) -> Result<Vec<Vec<u8>>, PatchError> {
        let read = |span| {
            let (start, len) = self.plan.extent(span);
            let mut image = vec![0; len];
            self.machine.read(start, &mut image)?;
            Ok(image)
        };
        let images: io::Result<_> = self.plan.spans.iter().map(read).collect();
        images.map_err(|source| PatchError::Interrupted { phase, source })
    }

    fn mismatches(
        &self,
        images: &[Vec<u8>],
        expected: impl Fn(&Edit) -> Word,
    ) -> Vec<(usize, Refusal)> {
        let mut found = Vec::new();
        for (span, image) in self.plan.spans.iter().zip(images) {
            let (start, _) = self.plan.extent(span);
            for at in span.clone().filter(|&at| self.alive.borrow()[at]) {
                let edit = &self.plan.edits[at];
                let offset = (edit.address.get() - start) as usize;
                let word: Word = image[offset..offset + SLED_LEN]
                    .try_into()
                    .expect("a whole sled");
                let expected = expected(edit);
                if word != expected {
                    found.push((
                        at,
                        Refusal {
                            site: edit.site,
                            address: edit.address,
                            expected,
                            found: word,
                        },
                    ));
                }
            }
        }
        found
    }

    fn drop_mismatches(&self, images: &[Vec<u8>], expected: impl Fn(&Edit) -> Word) {
        for (at, refusal) in self.mismatches(images, expected) {
            self.alive.borrow_mut()[at] = false;
            self.refused.borrow_mut().push(refusal);
        }
    }

    fn finish(self) -> Outcome {
        let alive = self.alive.into_inner();
        let switched = self
            .plan
            .edits
            .iter()
            .zip(alive)
            .filter(|(_, alive)| *alive)
            .map(|(e, _)| e.site);
        Outcome {
            switched: switched.collect(),
            refused: self.refused.into_inner(),
            phase_us: self.phase_us,
            syncs: self.syncs.get(),
        }
    }
}

/// Takes the breakpoints away again when a phase fails or panics half-way: old tails, sync, old heads,
/// sync. Only words that are ours (a breakpoint we wrote, before either tail) are touched. If even
/// this fails, the SIGTRAP handler goes on emulating the sites, which stays correct.
struct Undo<'r, 'a, M: Machine> {
    run: &'r Run<'a, M>,
    armed: std::cell::Cell<bool>,
}

impl<M: Machine> Undo<'_, '_, M> {
    fn restore(&self, wanted: impl Fn(&Edit) -> Word) -> io::Result<()> {
        for edit in &self.run.plan.edits {
            let mut word: Word = [0; SLED_LEN];
            self.run.machine.read(edit.address.get(), &mut word)?;
            if word[0] == INT3 && (word == edit.trapping_old() || word == edit.trapping_new()) {
                self.run.machine.write(edit.address.get(), &wanted(edit))?;
            }
        }
        self.run.machine.sync_cores()
    }
}

impl<M: Machine> Drop for Undo<'_, '_, M> {
    fn drop(&mut self) {
        if self.armed.get() {
            let undone = self
                .restore(Edit::trapping_old)
                .and_then(|()| self.restore(|e| e.from));
            // A failure leaves breakpoints that the handler emulates; the caller reports the cause.
            let _ = undone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotsled_abi::SiteAddr;
    use std::cell::{Cell, RefCell};

    const BASE: u64 = 0x10000;

    /// Text of a pretended process that records every write and fails at chosen calls.
    struct Pretend {
        text: RefCell<Vec<u8>>,
        calls: Cell<u32>,
        fail_write: Option<u32>,
        log: RefCell<Vec<&'static str>>,
        poke_after_trap: Option<usize>,
    }

    impl Pretend {
        fn new(sites: usize) -> Self {
            let text = RefCell::new([[7u8; 8], [9; 8]].concat().repeat(sites));
            Self {
                text,
                calls: Cell::new(0),
                fail_write: None,
                log: RefCell::default(),
                poke_after_trap: None,
            }
        }
    }

    impl Machine for Pretend {
        fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
            let at = (address - BASE) as usize;
            bytes.copy_from_slice(&self.text.borrow()[at..at + bytes.len()]);
            Ok(())
        }
        fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
            self.calls.set(self.calls.get() + 1);
            if self.fail_write == Some(self.calls.get()) {
                return Err(io::Error::other("injected"));
            }
            let at = (address - BASE) as usize;
            self.text.borrow_mut()[at..at + bytes.len()].copy_from_slice(bytes);
            self.log.borrow_mut().push("write");
            Ok(())
        }
        fn sync_cores(&self) -> io::Result<()> {
            self.log.borrow_mut().push("sync");
            if let (Some(at), 1) = (self.poke_after_trap, self.calls.get()) {
                self.text.borrow_mut()[at * 16] = 0x55;
            }
            Ok(())
        }
    }

    fn plan(sites: u64) -> Plan {
        let edit = |i: u64| Edit {
            site: SiteId(i as u32),
            address: SiteAddr::new(BASE + 16 * i),
            from: [7; 8],
            to: [8; 8],
        };
        Plan::new((0..sites).map(edit).collect())
    }

    #[test]
    fn one_write_and_one_sync_a_phase() {
        let machine = Pretend::new(5);
        let outcome = rewrite(&plan(5), &machine).unwrap();
        assert_eq!(*machine.log.borrow(), ["write", "sync"].repeat(3));
        assert_eq!((outcome.switched.len(), outcome.syncs), (5, 3));
        let text = machine.text.borrow();
        assert!(
            text.chunks(16)
                .all(|c| c[..8] == [8; 8] && c[8..] == [9; 8])
        );
    }

    #[test]
    fn any_failing_write_leaves_no_breakpoint() {
        for fail in 1..=3 {
            let machine = Pretend {
                fail_write: Some(fail),
                ..Pretend::new(4)
            };
            assert!(matches!(
                rewrite(&plan(4), &machine),
                Err(PatchError::Interrupted { .. })
            ));
            assert!(
                machine.text.borrow().chunks(16).all(|c| c[..8] == [7; 8]),
                "write {fail}"
            );
        }
    }

    #[test]
    fn a_site_that_changes_under_us_is_refused_and_left_alone() {
        let machine = Pretend {
            poke_after_trap: Some(2),
            ..Pretend::new(4)
        };
        let outcome = rewrite(&plan(4), &machine).unwrap();
        assert_eq!(outcome.refused.len(), 1);
        assert_eq!(
            (outcome.refused[0].site, outcome.refused[0].found[0]),
            (SiteId(2), 0x55)
        );
        assert_eq!(machine.text.borrow()[32], 0x55);
        assert_eq!(outcome.switched, [SiteId(0), SiteId(1), SiteId(3)]);
    }
}
