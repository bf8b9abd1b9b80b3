//! The patcher of a process: which sites it owns, and sessions that switch them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hotsled_abi::{SiteAddr, SiteId};
use hotsled_sys::membarrier::Barriers;
use parking_lot::Mutex;

use crate::alias::{self, Aliases};
use crate::batch::{Batch, Spare};
use crate::edits::Edits;
use crate::error::AliasError;
use crate::machine::{self, Own};
use crate::plan::{self, Home, Plan};
use crate::report::micros;
use crate::session::{self, Session};
use crate::settle::Settle;
use crate::sites::{Site, Sites};
use crate::{
    Cpu, Mode, NewSite, Nop, Options, PatchError, Protocol, Report, SingleStore, Status, Times,
    Want, WritePath, checks, owner, protocol, trap,
};

/// From this many sites in one adoption on, their pages get an alias by themselves: whole-span writes of
/// `/proc/self/mem` then take milliseconds.
const VERY_MANY: usize = 1 << 17;

/// Most bytes of images that are kept for the next session.
const KEPT: usize = 16 << 20;

/// Owns the sites of this process; at most one exists.
///
/// Sessions serialise on one process-wide lock, which fork(3) also takes, so that a child never
/// starts in the middle of a batch unless it was made by `_Fork` or raw clone; the SIGTRAP handler
/// covers those.
pub struct Patcher {
    barriers: Barriers,
    options: Options,
    cpu: Cpu,
    /// Why `/proc/self/mem` is not used, if it is not.
    no_mem: Option<io::Error>,
    /// Why pages cannot be given an alias, if they cannot.
    no_alias: Option<io::Error>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sites: Sites,
    aliases: Aliases,
    handler_reinstalled: bool,
    last: Last,
}

/// What the last session worked out and, if it did all that was asked, still holds: nearly always the next one
/// takes it back. Otherwise there are no edits, and this is memory for the next.
#[derive(Default)]
struct Last {
    plan: Plan,
    spare: Spare,
}

impl State {
    /// What wishes come to: edits in spans, memory for them, and sites that are as wanted already.
    fn work_out(&mut self, wishes: &[(SiteId, Want)]) -> Result<(Last, Vec<SiteId>), PatchError> {
        let mut last = std::mem::take(&mut self.last);
        if last.plan.edits.turn_if_taken_back(wishes) {
            last.spare.turn();
            return Ok((last, Vec::new()));
        }
        let (edits, already) = plan::edits(&self.sites, wishes, last.plan.edits)?;
        last.plan = self.plan(edits);
        last.spare.clear();
        Ok((last, already))
    }

    fn plan(&self, edits: Edits) -> Plan {
        if self.aliases.is_empty() {
            return Plan::new(edits, |_| (Home::Private, u64::MAX));
        }
        Plan::new(edits, |address| self.aliases.home_and_end(address))
    }

    /// Keeps what a session leaves, unless it is very much.
    fn keep(&mut self, mut last: Last, report: &Report) {
        if last.spare.bytes() > KEPT {
            return;
        }
        if !report.refused.is_empty() {
            last.plan.edits.clear();
        }
        self.last = last;
    }
}

/// How one session writes.
struct Way {
    protocol: Protocol,
    handler_reinstalled: bool,
}

static EXISTS: AtomicBool = AtomicBool::new(false);

impl Patcher {
    /// Prepares this process: barriers, SIGTRAP handler, fork hooks, and a trial of each write path.
    ///
    /// # Errors
    /// [`PatchError`] says what is missing and what to do; no text is changed then.
    pub fn new(options: Options) -> Result<Self, PatchError> {
        if EXISTS.swap(true, Ordering::AcqRel) {
            return Err(PatchError::Exists);
        }
        let built = Self::build(options);
        if built.is_err() {
            EXISTS.store(false, Ordering::Release);
        }
        built
    }

    fn build(options: Options) -> Result<Self, PatchError> {
        let barriers = Barriers::register().map_err(PatchError::Barrier)?;
        checks::tracer()?; // without /proc/self nothing can be checked later
        let mem = machine::self_test().err();
        let alias = alias::self_test(|| barriers.sync_cores()).err();
        let (no_mem, no_alias) = match (options.path, mem, alias) {
            (WritePath::ProcMem, Some(mem), _) => return Err(PatchError::WritePath(mem)),
            (WritePath::Alias, _, Some(alias)) => return Err(AliasError::Unusable(alias).into()),
            (WritePath::Auto, Some(mem), Some(alias)) => {
                let alias = AliasError::Unusable(alias);
                return Err(PatchError::NoWritePath { mem, alias });
            }
            (_, mem, alias) => (mem, alias),
        };
        owner::claim().map_err(PatchError::ForkHooks)?;
        session::keep_forks_out().map_err(PatchError::ForkHooks)?;
        trap::install().map_err(PatchError::Handler)?;
        Ok(Self {
            barriers,
            options,
            cpu: Cpu::here(),
            no_mem,
            no_alias,
            state: Mutex::default(),
        })
    }

    /// Makes sleds known; they stay as they are. All or none are adopted; numbers ascend from 0.
    ///
    /// # Errors
    /// The first sled that is misaligned, known, out of reach of its target, or not the idle nop; text that
    /// could not be given an alias, where it must have one.
    ///
    /// # Safety
    /// Each sled is a place where one instruction starts and nothing else jumps into the seven bytes after
    /// it. It stays mapped, readable and executable until [`Self::forget`]. Its target is code that does for
    /// a thread what the code after the sled may do, and stays for as long as the process lives.
    pub unsafe fn adopt(&self, new: &[NewSite]) -> Result<Vec<SiteId>, PatchError> {
        let own: Vec<_> = new.iter().map(|&site| (site, Nop::OWN)).collect();
        // SAFETY: the caller vouches for all of it.
        unsafe { self.adopt_foreign(&own) }
    }

    /// As [`adopt`](Self::adopt), for sites whose nop somebody else's compiler laid.
    ///
    /// # Errors
    /// As for [`adopt`](Self::adopt); a nop too short for a jump is [`PatchError::Short`].
    ///
    /// # Safety
    /// As for [`adopt`](Self::adopt), where the instruction is a nop of the length given and nothing jumps to
    /// its inside. The bytes behind it in its word may be code that nobody else changes.
    pub unsafe fn adopt_foreign(&self, new: &[(NewSite, Nop)]) -> Result<Vec<SiteId>, PatchError> {
        owner::check()?; // first: a raw clone may have caught the lock taken
        let _session = Session::begin();
        let state = &mut *self.state.lock();
        // SAFETY: the caller says that sleds are readable.
        let sites = new.iter().map(|(n, nop)| unsafe { Site::new(n, *nop) });
        let sites = sites.collect::<Result<Vec<_>, _>>()?;
        state.sites.check_new(&sites)?;
        let must = self.options.path == WritePath::Alias || self.no_mem.is_some();
        if must || self.options.path == WritePath::Auto && sites.len() >= VERY_MANY {
            state.last = Last::default(); // its pages may get another home
            // SAFETY: the caller says that sleds are text, and this is the one session.
            let covered = unsafe { state.aliases.cover(sites.iter().map(|s| s.sled)) };
            covered.or_else(|why| if must { Err(why) } else { Ok(()) })?;
        }
        Ok(state.sites.adopt(sites))
    }

    /// Takes sites out for good, because their object is about to be unloaded: no session writes them any
    /// more, and the SIGTRAP handler passes over them. Their addresses may be adopted again.
    ///
    /// # Errors
    /// Only in a fork of the owner.
    pub fn forget(&self, sites: &[SiteId]) -> Result<(), PatchError> {
        owner::check()?;
        let _session = Session::begin();
        let state = &mut *self.state.lock();
        state.last = Last::default();
        state.sites.forget(sites);
        state.aliases.retain_those_with(&state.sites);
        Ok(())
    }

    /// Brings sites to the wanted state in one batch; a site named twice takes the last wish.
    ///
    /// # Errors
    /// See [`PatchError`]. With [`Mode::AllOrNone`] an error leaves every site as it was, unless it is
    /// [`PatchError::Interrupted`].
    pub fn switch(&self, wishes: &[(SiteId, Want)], mode: Mode) -> Result<Report, PatchError> {
        owner::check()?; // first: a raw clone may have caught the lock taken
        let _session = Session::begin();
        let state = &mut *self.state.lock();
        let start = Instant::now();
        let (mut work, already) = state.work_out(wishes)?;
        if work.plan.edits.is_empty() {
            return Ok(Report {
                already,
                ..Report::default()
            });
        }
        let planned = Instant::now();
        let way = self.choose(state, &mut work)?;
        let chosen = Instant::now();
        let mut report = self.run(state, &mut work, &way, mode)?;
        report.already = already;
        state.keep(work, &report);
        let done = Instant::now();
        report.tracer = checks::tracer()?;
        report.times.plan_us = micros(planned - start);
        report.times.scan_us = micros(chosen - planned + done.elapsed());
        Ok(report)
    }

    /// Single stores where every site allows it, else breakpoints; where breakpoints would kill a thread,
    /// single stores through an alias made for them, or the refusal.
    fn choose(&self, state: &mut State, work: &mut Last) -> Result<Way, PatchError> {
        checks::untraced(self.options.traced)?;
        let by_stores = Way {
            protocol: Protocol::SingleStore,
            handler_reinstalled: false,
        };
        if work.plan.is_aliased() && self.may_store() {
            return Ok(by_stores);
        }
        match checks::traps_are_ours() {
            Ok(handler_reinstalled) => {
                state.handler_reinstalled |= handler_reinstalled;
                Ok(Way {
                    protocol: Protocol::Breakpoint,
                    handler_reinstalled,
                })
            }
            Err(why) if self.may_store() && self.may_alias() => {
                let edits = std::mem::take(&mut work.plan.edits);
                let sleds = edits.iter().map(|e| e.address());
                // SAFETY: adopted sleds are text, and this is the one session, which has not written.
                unsafe { state.aliases.cover(sleds) }.map_err(|_| why)?;
                work.plan = state.plan(edits);
                work.spare.clear();
                Ok(by_stores)
            }
            Err(why) => Err(why),
        }
    }

    fn may_store(&self) -> bool {
        match self.options.single_store {
            SingleStore::Qualified => self.cpu.is_qualified(),
            SingleStore::Never => false,
            SingleStore::Always => true,
        }
    }

    fn may_alias(&self) -> bool {
        self.options.path != WritePath::ProcMem && self.no_alias.is_none()
    }

    /// Verifies, tells the handler, rewrites, and records what holds afterwards.
    fn run(
        &self,
        state: &State,
        work: &mut Last,
        way: &Way,
        mode: Mode,
    ) -> Result<Report, PatchError> {
        let Last { plan, spare } = work;
        let machine = Own::open(plan, &state.aliases, self.barriers)?;
        let mut batch = Batch::with(plan, std::mem::take(spare));
        batch.verifying(|batch| machine.verify(batch))?;
        if mode == Mode::AllOrNone && !batch.refused.is_empty() {
            return Err(PatchError::Foreign(batch.refused));
        }
        let settle = Settle::publish(&state.sites, &batch, &machine);
        let done = match way.protocol {
            Protocol::Breakpoint => protocol::trap_and_rewrite(&mut batch, &machine, mode),
            Protocol::SingleStore => protocol::store(&mut batch, &machine, mode),
        }?;
        settle.with(&batch);
        let report = Report {
            switched: batch.living(),
            protocol: Some(way.protocol),
            times: Times {
                verify_us: micros(batch.verify),
                phase_us: done.phases.map(micros),
                ..Times::default()
            },
            refused: std::mem::take(&mut batch.refused),
            syncs: done.syncs,
            handler_reinstalled: way.handler_reinstalled,
            ..Report::default()
        };
        *spare = batch.spare();
        Ok(report)
    }

    /// What a site was last switched to, or `None` for a number nobody adopted or that is forgotten, and in
    /// a fork.
    pub fn state(&self, site: SiteId) -> Option<Want> {
        owner::check().ok()?;
        let _session = Session::begin();
        let (_, want) = self.state.lock().sites.find(site)?;
        Some(want)
    }

    /// Calls so far that met a breakpoint in the middle of a session, or a foreign one at a site, and were
    /// sent on by the SIGTRAP handler.
    pub fn traps(&self) -> u64 {
        trap::emulated()
    }

    /// How this process is patched; in a fork, how its parent was.
    pub fn status(&self) -> Status {
        let mut status = Status {
            cpu: self.cpu,
            single_store: self.may_store(),
            no_mem: self.no_mem.as_ref().map(ToString::to_string),
            no_alias: self.no_alias.as_ref().map(ToString::to_string),
            ..Status::default()
        };
        if owner::is_here() {
            let _session = Session::begin();
            let state = self.state.lock();
            let aliased = |s: SiteAddr| state.aliases.home(s) != Home::Private;
            status.sites = state.sites.living().count();
            status.aliased = state.sites.living().filter(|s| aliased(s.sled)).count();
            status.handler_reinstalled = state.handler_reinstalled;
        }
        status
    }
}
