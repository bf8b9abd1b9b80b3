//! Who is inside a generation. See `README.md` beside this file for the argument.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering, compiler_fence};
use std::time::{Duration, Instant};

use hotsled_abi::Generation;
use hotsled_sys::membarrier::Barriers;
use parking_lot::Mutex;

/// What a thread publishes: a sequence (odd = inside) and the generation in use.
#[repr(align(128))]
#[derive(Debug)]
struct Slot {
    sequence: AtomicU64,
    generation: AtomicU64,
    tid: AtomicI32,
}

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
        let slot: &'static Slot = Box::leak(Box::new(Slot {
            sequence: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            tid: AtomicI32::new(0),
        }));
        SLOTS.lock().push(slot);
        slot
    });
    slot.tid.store(hotsled_sys::tid(), Ordering::Relaxed);
    Owned(slot)
}

/// Being inside a generation; leaving is by drop.
#[must_use = "leaves the generation when dropped"]
pub(crate) struct Inside(&'static Slot);

/// Enters `generation` if `current` still says so *after* entry; otherwise one is outside again.
///
/// 1. Publish the generation, then the odd sequence (plain stores; x86 keeps their order).
/// 2. Look again whether the generation is current. The store of step 1 may still sit in this core's
///    buffer while step 2 loads; `drain`'s barrier is what makes one of the two visible in time.
pub(crate) fn enter(generation: Generation, current: impl Fn() -> Generation) -> Option<Inside> {
    let slot = OWN.try_with(|own| own.get_or_init(take_slot).0).ok()?;
    slot.generation.store(generation.0, Ordering::Relaxed);
    let sequence = slot.sequence.load(Ordering::Relaxed);
    debug_assert!(sequence % 2 == 0, "generations do not nest");
    slot.sequence.store(sequence + 1, Ordering::Release);
    compiler_fence(Ordering::SeqCst); // pairs with the membarrier in `drain`
    let inside = Inside(slot);
    (current() == generation).then_some(inside)
}

impl Drop for Inside {
    fn drop(&mut self) {
        let sequence = self.0.sequence.load(Ordering::Relaxed);
        // Release pairs with the Acquire in `drain`: what was done inside happens before.
        self.0.sequence.store(sequence + 1, Ordering::Release);
    }
}

/// Threads that did not leave in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stalled {
    pub threads: Vec<i32>,
}

/// Waits until nobody is inside `generation`, which must not be current any more.
///
/// 1. Barrier on every core: each thread that entered before is now visible as odd, and each that
///    enters later sees that the generation is gone and leaves without using it.
/// 2. Note who is inside this generation now.
/// 3. Wait until each of them has left or is inside another one. Later entries do not matter.
///
/// # Errors
/// Names who is still inside at the deadline.
pub(crate) fn drain(
    generation: Generation,
    barriers: Barriers,
    limit: Duration,
) -> Result<Duration, Stalled> {
    let began = Instant::now();
    let ordered = barriers.order_memory();
    ordered.expect("a registered membarrier does not fail");
    let slots: Vec<_> = SLOTS.lock().clone();
    let mut inside: Vec<_> = slots
        .into_iter()
        .filter_map(|slot| seen_inside(slot, generation))
        .collect();
    loop {
        inside.retain(|(slot, sequence)| slot.sequence.load(Ordering::Acquire) == *sequence);
        if inside.is_empty() {
            return Ok(began.elapsed());
        }
        if began.elapsed() >= limit {
            let threads = inside
                .iter()
                .map(|(slot, _)| slot.tid.load(Ordering::Relaxed))
                .collect();
            return Err(Stalled { threads });
        }
        std::thread::yield_now();
    }
}

fn seen_inside(slot: &'static Slot, generation: Generation) -> Option<(&'static Slot, u64)> {
    let sequence = slot.sequence.load(Ordering::Acquire);
    let inside = sequence % 2 == 1 && slot.generation.load(Ordering::Relaxed) == generation.0;
    inside.then_some((slot, sequence))
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
        let inside = enter(generation, current).unwrap();
        let stalled = drain(generation, barriers(), SOON).unwrap_err();
        assert_eq!(stalled.threads, [hotsled_sys::tid()]);
        assert!(
            drain(Generation(902), barriers(), SOON).is_ok(),
            "another generation's traffic does not matter"
        );
        drop(inside);
        assert!(drain(generation, barriers(), SOON).is_ok());
    }

    #[test]
    fn a_generation_that_is_gone_is_not_entered() {
        assert!(enter(Generation(903), || Generation(904)).is_none());
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
                if let Some(_inside) =
                    enter(generation, || Generation(CURRENT.load(Ordering::Acquire)))
                {
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
