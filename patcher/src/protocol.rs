//! The procedures that change live code.

use std::io;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::edits::State::{self, New, Old, TrappingNew, TrappingOld};
use crate::plan::Plan;
use crate::{Mode, PatchError};

/// The memory that holds the sites, and the cores that execute it.
pub(crate) trait Machine {
    /// Strikes out the sites of the batch that are not in state `held`.
    fn compare(&self, batch: &mut Batch<'_>, held: State) -> io::Result<()>;
    /// Brings every site of the batch that is in state `from` to state `to`, and strikes out the others. A
    /// failure does not keep it from trying the rest.
    fn exchange(&self, batch: &mut Batch<'_>, from: State, to: State) -> io::Result<()>;
    /// Every core that runs this process serialises before this returns.
    fn sync_cores(&self) -> io::Result<()>;
}

/// What was done so far: time of each phase, and syncs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub phases: [Duration; 3],
    pub syncs: u32,
}

/// Switches every site of the batch from its old to its new word under running threads, by breakpoints.
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
/// kernel text; Intel SDM vol. 3, "Handling Self- and Cross-Modifying Code", is the rule behind it.
///
/// With [`Mode::AllOrNone`] a site that fails a comparison before step 5 ends it, and what was done is
/// undone.
///
/// The caller has published what the SIGTRAP handler does with each site before calling.
pub(crate) fn trap_and_rewrite(
    batch: &mut Batch<'_>,
    machine: &impl Machine,
    mode: Mode,
) -> Result<Done, PatchError> {
    let mut run = Run::new(machine, mode);
    let mut undo = Undo::new(batch.plan, machine);
    run.phase("trap", batch, Old, TrappingOld)?; // steps 1 and 2
    run.phase("tail", batch, TrappingOld, TrappingNew)?; // steps 3 and 4
    run.last_look(batch, TrappingNew)?;
    run.phase("head", batch, TrappingNew, New)?; // steps 5 and 6
    undo.armed = false;
    drop(undo);
    run.read_back(batch) // step 7
}

/// Switches every site of the batch by one aligned 8-byte store each; for CPUs on which that is qualified
/// (see `cpu.rs`) and memory that exchanges words atomically.
///
/// A thread executes the old instruction or the new one, because a sled is one instruction within one
/// aligned word and the CPU's maker promises that such a store is fetched as a whole.
///
/// 1. Compare every word with its expected old bytes and exchange it, in one atomic step.
/// 2. Sync cores: no core executes the old instruction any more.
/// 3. Read back; a difference is reported.
///
/// With [`Mode::AllOrNone`] a site that fails its comparison ends it, and what was done is undone.
pub(crate) fn store(
    batch: &mut Batch<'_>,
    machine: &impl Machine,
    mode: Mode,
) -> Result<Done, PatchError> {
    let mut run = Run::new(machine, mode);
    let mut undo = Undo::new(batch.plan, machine);
    undo.whole_words = true;
    run.phase("store", batch, Old, New)?; // steps 1 and 2
    if mode == Mode::AllOrNone {
        run.none_refused(batch)?;
    }
    undo.armed = false;
    drop(undo);
    run.read_back(batch) // step 3
}

struct Run<'m, M> {
    machine: &'m M,
    mode: Mode,
    done: Done,
    phases: usize,
}

impl<'m, M: Machine> Run<'m, M> {
    fn new(machine: &'m M, mode: Mode) -> Self {
        Self {
            machine,
            mode,
            done: Done::default(),
            phases: 0,
        }
    }

    /// Compare, write, sync.
    fn phase(
        &mut self,
        phase: &'static str,
        batch: &mut Batch<'_>,
        from: State,
        to: State,
    ) -> Result<(), PatchError> {
        let failed = |source| PatchError::Interrupted { phase, source };
        let (start, verified) = (Instant::now(), batch.verify);
        self.machine.exchange(batch, from, to).map_err(failed)?;
        self.machine.sync_cores().map_err(failed)?;
        self.done.phases[self.phases] = start.elapsed() - (batch.verify - verified);
        self.done.syncs += 1;
        self.phases += 1;
        Ok(())
    }

    /// All or none: the last moment at which none is still possible.
    fn last_look(&self, batch: &mut Batch<'_>, held: State) -> Result<(), PatchError> {
        if self.mode == Mode::WhatYouCan {
            return Ok(());
        }
        self.look("compare", batch, held)?;
        self.none_refused(batch)
    }

    fn none_refused(&self, batch: &mut Batch<'_>) -> Result<(), PatchError> {
        if batch.refused.is_empty() {
            return Ok(());
        }
        Err(PatchError::Foreign(std::mem::take(&mut batch.refused)))
    }

    fn read_back(self, batch: &mut Batch<'_>) -> Result<Done, PatchError> {
        self.look("read back", batch, New)?;
        Ok(self.done)
    }

    fn look(
        &self,
        phase: &'static str,
        batch: &mut Batch<'_>,
        held: State,
    ) -> Result<(), PatchError> {
        batch
            .verifying(|batch| self.machine.compare(batch, held))
            .map_err(|source| PatchError::Interrupted { phase, source })
    }
}

/// Takes back what a failed or panicking run has written: new words where whole words were stored, then
/// old tails, sync, old heads, sync. Only words that are ours are touched. If even this fails, the SIGTRAP
/// handler goes on emulating the sites, which stays correct.
struct Undo<'p, 'm, M: Machine> {
    plan: &'p Plan,
    machine: &'m M,
    whole_words: bool,
    armed: bool,
}

impl<'p, 'm, M: Machine> Undo<'p, 'm, M> {
    fn new(plan: &'p Plan, machine: &'m M) -> Self {
        Self {
            plan,
            machine,
            whole_words: false,
            armed: true,
        }
    }

    /// Puts `to` where `from` is; failures are passed over, since the caller reports the cause. Whether every
    /// core knows of what was changed.
    fn restore(&self, from: State, to: State) -> bool {
        let mut batch = Batch::new(self.plan);
        let _ = self.machine.exchange(&mut batch, from, to);
        let synced = self.machine.sync_cores().is_ok();
        synced || batch.living().is_empty()
    }
}

impl<M: Machine> Drop for Undo<'_, '_, M> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if self.whole_words {
            self.restore(New, Old);
        } else if self.restore(TrappingNew, TrappingOld) {
            self.restore(TrappingOld, Old);
        } // else a core might join an old head and a new tail: better leave the breakpoints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::Word;
    use crate::testing::{NEW, OLD, Pretend, plan};
    use hotsled_abi::SiteId;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    const FOREIGN: Word = [0x55; 8];

    fn by_traps(machine: &Pretend, mode: Mode) -> (Result<Done, PatchError>, Vec<SiteId>) {
        let plan = plan(machine.words.borrow().len() as u32);
        let mut batch = Batch::new(&plan);
        let result = trap_and_rewrite(&mut batch, machine, mode);
        (result, batch.living())
    }

    fn by_stores(machine: &Pretend, mode: Mode) -> (Result<Done, PatchError>, Vec<SiteId>) {
        let plan = plan(machine.words.borrow().len() as u32);
        let mut batch = Batch::new(&plan);
        let result = store(&mut batch, machine, mode);
        (result, batch.living())
    }

    #[test]
    fn every_phase_writes_and_then_syncs_once() {
        let machine = Pretend::new(2);
        let (done, switched) = by_traps(&machine, Mode::AllOrNone);
        assert_eq!(*machine.log.borrow(), ["write", "write", "sync"].repeat(3));
        assert_eq!((done.unwrap().syncs, switched.len()), (3, 2));
        assert_eq!(*machine.words.borrow(), [NEW; 2]);
    }

    #[test]
    fn a_store_writes_and_then_syncs_once() {
        let machine = Pretend::new(2);
        let (done, switched) = by_stores(&machine, Mode::AllOrNone);
        assert_eq!(*machine.log.borrow(), ["write", "write", "sync"]);
        assert_eq!((done.unwrap().syncs, switched.len()), (1, 2));
        assert_eq!(*machine.words.borrow(), [NEW; 2]);
    }

    #[test]
    fn no_failing_write_leaves_a_breakpoint() {
        for fail in 1..=6 {
            let machine = Pretend {
                fail_write: Some(fail),
                ..Pretend::new(2)
            };
            let (result, _) = by_traps(&machine, Mode::AllOrNone);
            assert!(
                matches!(result, Err(PatchError::Interrupted { .. })),
                "write {fail}"
            );
            let whole = |w: &Word| *w == OLD || *w == NEW;
            assert!(machine.words.borrow().iter().all(whole), "write {fail}");
        }
    }

    #[test]
    fn tails_that_no_core_knows_of_stay_behind_breakpoints() {
        let machine = Pretend {
            fail_syncs_from: Some(2),
            ..Pretend::new(1)
        };
        assert!(by_traps(&machine, Mode::WhatYouCan).0.is_err());
        let mut trapping = OLD;
        trapping[0] = hotsled_abi::INT3;
        assert_eq!(*machine.words.borrow(), [trapping]);
        let machine = Pretend {
            fail_syncs_from: Some(1),
            ..Pretend::new(1)
        };
        assert!(by_traps(&machine, Mode::WhatYouCan).0.is_err());
        assert_eq!(*machine.words.borrow(), [OLD], "the tail was never touched");
    }

    #[test]
    fn no_panic_leaves_a_breakpoint() {
        for sync in 1..=2 {
            let machine = Pretend {
                panic_at_sync: Some(sync),
                ..Pretend::new(2)
            };
            let run = AssertUnwindSafe(|| by_traps(&machine, Mode::WhatYouCan));
            assert!(catch_unwind(run).is_err());
            assert_eq!(*machine.words.borrow(), [OLD; 2], "sync {sync}");
        }
    }

    #[test]
    fn a_site_that_changes_under_us_is_struck_out_and_left_alone() {
        for sync in 1..=3 {
            let poke = Some((sync, 1, FOREIGN));
            let machine = Pretend {
                poke,
                ..Pretend::new(3)
            };
            let (result, switched) = by_traps(&machine, Mode::WhatYouCan);
            assert!(result.is_ok());
            assert_eq!(switched, [SiteId(0), SiteId(2)], "sync {sync}");
            assert_eq!(*machine.words.borrow(), [NEW, FOREIGN, NEW]);
        }
    }

    #[test]
    fn all_or_none_undoes_what_was_done() {
        for sync in 1..=2 {
            let poke = Some((sync, 1, FOREIGN));
            let machine = Pretend {
                poke,
                ..Pretend::new(3)
            };
            let (result, _) = by_traps(&machine, Mode::AllOrNone);
            let Err(PatchError::Foreign(refused)) = result else {
                panic!("sync {sync}: {result:?}")
            };
            assert_eq!((refused.len(), refused[0].site), (1, SiteId(1)));
            assert_eq!(*machine.words.borrow(), [OLD, FOREIGN, OLD]);
        }
        let machine = Pretend::new(3);
        machine.words.borrow_mut()[1] = FOREIGN;
        assert!(matches!(
            by_stores(&machine, Mode::AllOrNone).0,
            Err(PatchError::Foreign(_))
        ));
        assert_eq!(*machine.words.borrow(), [OLD, FOREIGN, OLD]);
    }
}
