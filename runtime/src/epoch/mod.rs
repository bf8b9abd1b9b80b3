//! Who is inside a generation. See `README.md` beside this file for the argument.

#[cfg(test)]
mod model;
mod steps;

use std::cell::OnceCell;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotsled_abi::{Generation, SiteId};
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::threads;
use parking_lot::Mutex;

/// Whose slot it is, and where that thread last entered.
#[derive(Debug)]
struct Owner {
    tid: AtomicI32,
    site: AtomicU32,
}

type Slot = steps::Slot<AtomicU64, Owner>;

/// Every slot ever made; they are never freed, and reused by later threads.
static SLOTS: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());
/// Slots whose threads have ended.
static SPARE: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());

/// Gives the slot back when its thread ends.
struct Owned(&'static Slot);

impl Drop for Owned {
    fn drop(&mut self) {
        SPARE.lock().push(self.0);
    }
}

thread_local! {
    static OWN: OnceCell<Owned> = const { OnceCell::new() };
}

#[cold]
fn take_slot() -> Owned {
    let slot = SPARE.lock().pop().unwrap_or_else(|| {
        let slot: &'static Slot = Box::leak(Box::new(fresh()));
        SLOTS.lock().push(slot);
        slot
    });
    slot.about.tid.store(hotsled_sys::tid(), Ordering::Relaxed);
    Owned(slot)
}

fn fresh() -> Slot {
    let owner = Owner {
        tid: AtomicI32::new(0),
        site: AtomicU32::new(0),
    };
    Slot::new(AtomicU64::new(0), AtomicU64::new(0), owner)
}

/// Being inside a generation; leaving is by drop.
#[must_use = "leaves the generation when dropped"]
#[derive(Debug)]
pub struct Inside(&'static Slot);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Enters `generation` on behalf of `site` if `current` still says so *after* entry.
///
/// The steps are `steps::Slot::enter`'s.
pub fn enter(
    generation: Generation,
    site: SiteId,
    current: impl FnOnce() -> Generation,
) -> Option<Inside> {
    let slot = OWN.try_with(|own| own.get_or_init(take_slot).0).ok()?;
    slot.about.site.store(site.0, Ordering::Relaxed);
    let entered = slot.enter(generation, || current() == generation);
    entered.then(|| Inside(slot))
}

/// A thread that did not leave in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Straggler {
    /// Its number.
    pub tid: i32,
    /// Its name, while it runs.
    pub name: String,
    /// Where it entered.
    pub site: SiteId,
}

/// Waits until nobody is inside `generation`, which must not be current any more.
///
/// The steps are `steps::drain`'s. Returns how long it took.
///
/// # Errors
/// Names who is still inside at the deadline.
///
/// # Panics
/// When a registered membarrier fails, which the kernel rules out.
pub fn drain(
    generation: Generation,
    barriers: Barriers,
    limit: Duration,
) -> Result<Duration, Vec<Straggler>> {
    let began = Instant::now();
    let barrier = || {
        let ordered = barriers.order_memory();
        ordered.expect("a registered membarrier does not fail");
    };
    let patient = || {
        std::thread::yield_now();
        began.elapsed() < limit
    };
    match steps::drain(generation, barrier, || SLOTS.lock().clone(), patient) {
        Ok(()) => Ok(began.elapsed()),
        Err(slots) => Err(slots.into_iter().map(straggler).collect()),
    }
}

fn straggler(slot: &Slot) -> Straggler {
    let tid = slot.about.tid.load(Ordering::Relaxed);
    Straggler {
        tid,
        name: threads::name(tid).unwrap_or_else(|| "ended".to_owned()),
        site: SiteId(slot.about.site.load(Ordering::Relaxed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    const SOON: Duration = Duration::from_millis(50);

    fn barriers() -> Barriers {
        Barriers::register().unwrap()
    }

    #[test]
    fn drain_waits_for_those_inside_and_names_them() {
        let (generation, current) = (Generation(901), || Generation(901));
        let inside = enter(generation, SiteId(7), current).unwrap();
        let stragglers = drain(generation, barriers(), SOON).unwrap_err();
        let tid = hotsled_sys::tid();
        let name = threads::name(tid).unwrap();
        assert!("epoch::tests::drain_waits".starts_with(&name), "{name}");
        let site = SiteId(7);
        assert_eq!(stragglers, [Straggler { tid, name, site }]);
        assert!(
            drain(Generation(902), barriers(), SOON).is_ok(),
            "another generation's traffic does not matter"
        );
        drop(inside);
        assert!(drain(generation, barriers(), SOON).is_ok());
    }

    #[test]
    fn a_generation_that_is_gone_is_not_entered() {
        assert!(enter(Generation(903), SiteId(0), || Generation(904)).is_none());
        assert!(
            drain(Generation(903), barriers(), SOON).is_ok(),
            "the failed entry has left"
        );
    }

    /// A resource is used only inside; after `drain` it is poisoned. Without the barrier, or without
    /// the look after entry, this fails within the test's time on the machines we tried.
    #[test]
    fn nothing_is_used_after_drain() {
        static CURRENT: AtomicU64 = AtomicU64::new(0);
        static ALIVE: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];
        static STOP: AtomicBool = AtomicBool::new(false);
        let worker = |seed: u64| {
            let (mut used_dead, mut entered, mut n) = (0u64, 0u64, seed);
            while !STOP.load(Ordering::Relaxed) {
                let generation = Generation(CURRENT.load(Ordering::Acquire));
                n = n.wrapping_mul(6364136223846793005).wrapping_add(1);
                if n >> 56 == 0 {
                    std::thread::yield_now(); // preempted between the load and the entry
                }
                if generation == Generation::NONE {
                    continue;
                }
                let current = || Generation(CURRENT.load(Ordering::Acquire));
                if let Some(_inside) = enter(generation, SiteId(0), current) {
                    entered += 1;
                    used_dead +=
                        u64::from(!ALIVE[generation.0 as usize % 2].load(Ordering::Relaxed));
                }
            }
            (used_dead, entered)
        };
        let threads: Vec<_> = (1..=3)
            .map(|n| std::thread::spawn(move || worker(n)))
            .collect();
        let began = Instant::now();
        let mut generation = 1000;
        while began.elapsed() < Duration::from_secs(2) {
            generation += 1;
            ALIVE[generation as usize % 2].store(true, Ordering::SeqCst);
            CURRENT.store(generation, Ordering::Release);
            (0..200).for_each(|_| std::hint::spin_loop());
            CURRENT.store(0, Ordering::Release);
            drain(Generation(generation), barriers(), Duration::from_secs(10)).unwrap();
            ALIVE[generation as usize % 2].store(false, Ordering::SeqCst);
        }
        STOP.store(true, Ordering::Relaxed);
        let (dead, entered) = threads
            .into_iter()
            .map(|t| t.join().unwrap())
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        assert!(entered > 1000, "the test entered {entered} times only");
        assert_eq!(dead, 0, "used after drain");
    }
}
