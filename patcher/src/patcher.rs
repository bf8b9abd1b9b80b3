//! The patcher of a process: which sites it owns, and sessions that switch them.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use std::time::{Duration, Instant};

use hotsled_abi::{NOP8, SLED_LEN, SiteAddr, SiteId, TargetAddr, jmp_word};
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::procmem::ProcMem;
use hotsled_sys::{fork, signal, threads};
use parking_lot::{Mutex, RawMutex, lock_api::RawMutex as _};

use crate::protocol::{self, Machine, Own};
use crate::{Edit, PatchError, Plan, Refusal, trap};

/// What a site shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Want {
    /// Fall through to the CPU body: the 8-byte nop.
    Idle = 0,
    /// Jump to the site's target.
    Jump = 1,
}

/// What to do when some sites hold foreign bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Patch nothing and fail.
    AllOrNone,
    /// Patch the others and report.
    WhatYouCan,
}

/// What to do when a debugger is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traced {
    /// Refuse: its breakpoints and ours would overwrite each other.
    #[default]
    Refuse,
    /// Patch all the same.
    Patch,
}

/// Choices of a patcher.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Under a debugger.
    pub traced: Traced,
}

/// A sled to adopt, with the one target that it will ever jump to.
#[derive(Clone, Copy, Debug)]
pub struct NewSite {
    /// The sled.
    pub sled: SiteAddr,
    /// Where it jumps when patched.
    pub target: TargetAddr,
}

/// What a session did.
#[derive(Debug, Default)]
pub struct Report {
    /// Sites that changed.
    pub switched: Vec<SiteId>,
    /// Sites that were as wanted already.
    pub already: usize,
    /// Sites that held foreign bytes and were left alone.
    pub refused: Vec<Refusal>,
    /// Microseconds of the trap, tail and head phase, each with its sync.
    pub phase_us: [f64; 3],
    /// Core syncs issued.
    pub syncs: u32,
    /// Whether somebody had replaced our SIGTRAP handler, so that it was installed anew.
    pub handler_reinstalled: bool,
}

/// How long a thread may block SIGTRAP while it is created or switches masks.
const TRANSIENT: Duration = Duration::from_millis(50);

struct Site {
    sled: SiteAddr,
    target: TargetAddr,
    jump: [u8; SLED_LEN],
    want: &'static AtomicU8,
    state: Want,
}

/// Owns the sites of this process; at most one exists.
///
/// Sessions serialise on one process-wide lock, which fork(3) also takes, so that a child never
/// starts in the middle of a batch unless it was made by `_Fork` or raw clone; the SIGTRAP handler
/// covers those.
pub struct Patcher {
    barriers: Barriers,
    options: Options,
    owner: i32,
    alive: &'static AtomicU8,
    sites: Mutex<Vec<Site>>,
    reinstalled: AtomicBool,
}

static EXISTS: AtomicBool = AtomicBool::new(false);

/// Serialises sessions of all threads, and forks.
static SESSION: RawMutex = RawMutex::INIT;

struct SessionGuard;

impl SessionGuard {
    fn take() -> Self {
        SESSION.lock();
        Self
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        // SAFETY: the guard's existence says that this thread holds the lock.
        unsafe { SESSION.unlock() };
    }
}

/// Pid of the process whose forks wait for sessions. A child inherits the lock as taken and never
/// needs it: releasing it there would touch wait queues that the fork may have caught half-changed.
static OWNER: AtomicI32 = AtomicI32::new(0);

fn owns_lock() -> bool {
    hotsled_sys::pid() == OWNER.load(Ordering::Relaxed)
}

unsafe extern "C" fn before_fork() {
    if owns_lock() {
        SESSION.lock();
    }
}

unsafe extern "C" fn after_fork_in_parent() {
    if owns_lock() {
        // SAFETY: `before_fork` took the lock on this very thread.
        unsafe { SESSION.unlock() };
    }
}

unsafe extern "C" fn after_fork_in_child() {}

impl Patcher {
    /// Prepares this process: barriers, SIGTRAP handler, a write of own text that is read back.
    ///
    /// # Errors
    /// [`PatchError`] says what is missing and what to do; nothing is changed then.
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
        self_test().map_err(PatchError::WritePath)?;
        trap::install().map_err(PatchError::Handler)?;
        let alive = trap::owner_mark().map_err(PatchError::ForkHooks)?;
        let owner = hotsled_sys::pid();
        OWNER.store(owner, Ordering::Relaxed);
        // SAFETY: the hooks only take and release a lock; the child's does nothing.
        unsafe { fork::at_fork(before_fork, after_fork_in_parent, after_fork_in_child) }
            .map_err(PatchError::ForkHooks)?;
        Ok(Self {
            barriers,
            options,
            owner,
            alive,
            sites: Mutex::default(),
            reinstalled: AtomicBool::new(false),
        })
    }

    /// Makes sleds known; they stay as they are. All or none are adopted; numbers ascend from 0.
    ///
    /// # Errors
    /// The first sled that is misaligned, known, out of reach of its target, or not the idle nop.
    pub fn adopt(&self, new: &[NewSite]) -> Result<Vec<SiteId>, PatchError> {
        self.check_owner()?; // first: a raw clone may have caught the lock taken
        let _session = SessionGuard::take();
        let mut sites = self.sites.lock();
        let mem = ProcMem::open().map_err(PatchError::WritePath)?;
        let mut fresh = Vec::with_capacity(new.len());
        for site in new {
            fresh.push(adoptable(site, &mem)?);
        }
        check_disjoint(sites.iter().chain(&fresh).map(|s| s.sled).collect())?;
        let first = sites.len() as u32;
        sites.extend(fresh);
        trap::publish(self.owner, self.alive, known(&sites));
        Ok((first..sites.len() as u32).map(SiteId).collect())
    }

    /// Brings sites to the wanted state in one batch; a site named twice takes the last wish.
    ///
    /// # Errors
    /// See [`PatchError`]. With [`Mode::AllOrNone`] an error before the first write leaves every
    /// site as it was.
    pub fn switch(&self, wishes: &[(SiteId, Want)], mode: Mode) -> Result<Report, PatchError> {
        self.check_owner()?; // first: a raw clone may have caught the lock taken
        let _session = SessionGuard::take();
        let _signals = signal::BlockAll::new();
        let mut sites = self.sites.lock();
        let (plan, already) = plan(&sites, wishes)?;
        if plan.edits.is_empty() {
            return Ok(Report {
                already,
                ..Report::default()
            });
        }
        let handler_reinstalled = self.check_thread_state()?;
        let machine = Own {
            mem: ProcMem::open().map_err(PatchError::WritePath)?,
            barriers: self.barriers,
        };
        let foreign = protocol::verify(&plan, &machine)?;
        if mode == Mode::AllOrNone && !foreign.is_empty() {
            return Err(PatchError::Foreign(foreign));
        }
        let outcome = rewrite_published(&plan, &machine, &mut sites)?;
        Ok(Report {
            switched: outcome.switched,
            already,
            refused: outcome.refused,
            phase_us: outcome.phase_us,
            syncs: outcome.syncs,
            handler_reinstalled,
        })
    }

    /// What a site was last switched to, or `None` for a number nobody adopted and in a fork.
    pub fn state(&self, site: SiteId) -> Option<Want> {
        self.check_owner().ok()?;
        let _session = SessionGuard::take();
        self.sites.lock().get(site.0 as usize).map(|s| s.state)
    }

    /// How text is written and the protocol in use, for status.
    pub fn write_path(&self) -> &'static str {
        "int3 protocol through /proc/self/mem"
    }

    fn check_owner(&self) -> Result<(), PatchError> {
        let pid = hotsled_sys::pid();
        if pid == self.owner && self.alive.load(Ordering::Acquire) == 1 {
            Ok(())
        } else {
            Err(PatchError::Forked {
                pid,
                owner: self.owner,
            })
        }
    }

    /// No thread may be killed by our breakpoints. A thread that blocks SIGTRAP after this look is
    /// the remaining window; `README.md` says so.
    fn check_thread_state(&self) -> Result<bool, PatchError> {
        if self.options.traced == Traced::Refuse
            && let Some(tracer) = threads::tracer().map_err(PatchError::Proc)?
        {
            return Err(PatchError::Traced { tracer });
        }
        let blocking = blocked_for_long().map_err(PatchError::Proc)?;
        if !blocking.is_empty() {
            return Err(PatchError::TrapBlocked(blocking));
        }
        self.check_handler()
    }

    fn check_handler(&self) -> Result<bool, PatchError> {
        let (address, ours) = trap::installed().map_err(PatchError::Handler)?;
        if ours {
            return Ok(false);
        }
        if self.reinstalled.swap(true, Ordering::AcqRel) {
            return Err(PatchError::HandlerLost { address });
        }
        trap::install().map_err(PatchError::Handler)?;
        Ok(true)
    }
}

/// Threads that block SIGTRAP, looked at again for a while: a thread that is just being created blocks
/// every signal until libc lets it run. The calling thread blocks all signals and runs no sled now.
fn blocked_for_long() -> std::io::Result<Vec<threads::Thread>> {
    let own = hotsled_sys::tid();
    let deadline = Instant::now() + TRANSIENT;
    loop {
        let mut blocking = threads::blocking(libc::SIGTRAP)?;
        blocking.retain(|t| t.tid != own);
        if blocking.is_empty() || Instant::now() >= deadline {
            return Ok(blocking);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Publishes the wishes to the SIGTRAP handler, rewrites, and records what holds afterwards.
fn rewrite_published(
    plan: &Plan,
    machine: &impl Machine,
    sites: &mut [Site],
) -> Result<protocol::Outcome, PatchError> {
    let publish = |sites: &[Site], site: SiteId, want: Want| {
        // Release pairs with the Acquire in `trap::route`.
        sites[site.0 as usize]
            .want
            .store(want as u8, Ordering::Release);
    };
    for edit in &plan.edits {
        publish(sites, edit.site, wanted(edit));
    }
    let result = protocol::rewrite(plan, machine);
    match &result {
        Ok(outcome) => {
            outcome
                .refused
                .iter()
                .for_each(|r| publish(sites, r.site, sites[r.site.0 as usize].state));
            let refused: Vec<_> = outcome.refused.iter().map(|r| r.site).collect();
            for edit in plan.edits.iter().filter(|e| !refused.contains(&e.site)) {
                sites[edit.site.0 as usize].state = wanted(edit);
            }
        }
        Err(_) => {
            for edit in &plan.edits {
                settle(edit, machine, &mut sites[edit.site.0 as usize]);
                publish(sites, edit.site, sites[edit.site.0 as usize].state);
            }
        }
    }
    result
}

/// After a failed run: a failure in the head phase leaves sites that hold their whole new word, and
/// what is recorded must be what memory holds, or the next session would take it for foreign.
fn settle(edit: &Edit, machine: &impl Machine, site: &mut Site) {
    let mut word = [0; SLED_LEN];
    if machine.read(edit.address.get(), &mut word).is_ok() && word == edit.to {
        site.state = wanted(edit);
    }
}

fn wanted(edit: &Edit) -> Want {
    if edit.to == NOP8 {
        Want::Idle
    } else {
        Want::Jump
    }
}

fn known(sites: &[Site]) -> Vec<trap::Known> {
    let known = sites.iter().map(|s| trap::Known {
        address: s.sled,
        target: s.target,
        want: s.want,
    });
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|s| s.address);
    known
}

fn adoptable(site: &NewSite, mem: &ProcMem) -> Result<Site, PatchError> {
    let NewSite { sled, target } = *site;
    if !sled.get().is_multiple_of(SLED_LEN as u64) {
        return Err(PatchError::Misaligned(sled));
    }
    let jump = jmp_word(sled, target)
        .ok_or(PatchError::Reach { site: sled, target })?
        .to_le_bytes();
    let mut found = [0; SLED_LEN];
    mem.read(sled.get(), &mut found)
        .map_err(PatchError::WritePath)?;
    if found != NOP8 {
        return Err(PatchError::NotIdle { site: sled, found });
    }
    // Leaked: the handler may read it for as long as the process lives.
    let want = Box::leak(Box::new(AtomicU8::new(Want::Idle as u8)));
    Ok(Site {
        sled,
        target,
        jump,
        want,
        state: Want::Idle,
    })
}

fn check_disjoint(mut sleds: Vec<SiteAddr>) -> Result<(), PatchError> {
    sleds.sort();
    match sleds
        .windows(2)
        .find(|w| w[1].get() - w[0].get() < SLED_LEN as u64)
    {
        Some(pair) => Err(PatchError::Duplicate(pair[1])),
        None => Ok(()),
    }
}

fn plan(sites: &[Site], wishes: &[(SiteId, Want)]) -> Result<(Plan, usize), PatchError> {
    let mut last = std::collections::BTreeMap::new();
    for &(id, want) in wishes {
        let site = sites.get(id.0 as usize).ok_or(PatchError::Unknown(id))?;
        last.insert(id, (site, want));
    }
    let total = last.len();
    let edits: Vec<_> = last
        .into_iter()
        .filter(|(_, (site, want))| site.state != *want)
        .map(|(id, (site, want))| edit(id, site, want))
        .collect();
    let already = total - edits.len();
    Ok((Plan::new(edits), already))
}

fn edit(id: SiteId, site: &Site, want: Want) -> Edit {
    let bytes = |state| if state == Want::Idle { NOP8 } else { site.jump };
    Edit {
        site: id,
        address: site.sled,
        from: bytes(site.state),
        to: bytes(want),
    }
}

/// Writes the first byte of a function that never runs over itself and reads it back.
fn self_test() -> std::io::Result<()> {
    let mem = ProcMem::open()?;
    let address = unused_text as *const () as u64;
    let mut byte = [0];
    mem.read(address, &mut byte)?;
    let flipped = [byte[0] ^ 1];
    // SAFETY: nobody ever runs this function, so its bytes may be anything for a while.
    unsafe { mem.write(address, &flipped) }?;
    let mut back = [0];
    mem.read(address, &mut back)?;
    // SAFETY: as above; this restores the byte.
    unsafe { mem.write(address, &byte) }?;
    if back == flipped {
        Ok(())
    } else {
        Err(std::io::Error::other("a write was not seen when read back"))
    }
}

#[inline(never)]
extern "C" fn unused_text() -> u64 {
    std::hint::black_box(0x5eed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::io;

    /// Two sleds two pages apart, so that each has its own write; write number `fail` fails.
    struct Failing {
        words: RefCell<[[u8; SLED_LEN]; 2]>,
        writes: Cell<u32>,
        fail: u32,
    }

    const FIRST: u64 = 0x1_0000;

    impl Machine for Failing {
        fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
            bytes.copy_from_slice(&self.words.borrow()[((address - FIRST) / 0x2000) as usize]);
            Ok(())
        }
        fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
            self.writes.set(self.writes.get() + 1);
            if self.writes.get() == self.fail {
                return Err(io::Error::other("injected"));
            }
            self.words.borrow_mut()[((address - FIRST) / 0x2000) as usize].copy_from_slice(bytes);
            Ok(())
        }
        fn sync_cores(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn site(address: u64) -> Site {
        let (sled, target) = (SiteAddr::new(address), TargetAddr::new(address - 0x777));
        Site {
            sled,
            target,
            jump: jmp_word(sled, target).unwrap().to_le_bytes(),
            want: Box::leak(Box::new(AtomicU8::new(0))),
            state: Want::Idle,
        }
    }

    #[test]
    fn whatever_write_fails_the_record_matches_memory() {
        for fail in 1..=6 {
            let mut sites = [site(FIRST), site(FIRST + 0x2000)];
            let wishes = [0, 1].map(|n| (SiteId(n), Want::Jump));
            let (plan, _) = plan(&sites, &wishes).unwrap();
            let machine = Failing {
                words: RefCell::new([NOP8; 2]),
                writes: Cell::new(0),
                fail,
            };
            assert!(rewrite_published(&plan, &machine, &mut sites).is_err());
            for (site, word) in sites.iter().zip(*machine.words.borrow()) {
                let jumps = site.state == Want::Jump;
                assert_eq!(word, if jumps { site.jump } else { NOP8 }, "write {fail}");
                assert_eq!(site.want.load(Ordering::Relaxed), site.state as u8);
            }
        }
    }
}
