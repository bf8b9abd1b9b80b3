//! The steps on a machine whose every store waits in a buffer, in every order that loom finds.
//!
//! loom has no barrier that one thread executes on behalf of the others, so store buffers are explicit:
//! a thread's stores go to its core's buffer, which is written to memory in order, one store at a time,
//! at any moment (the thread `memory`), as a whole by the drain's barrier, and when the thread ends.
//! The steps are those of `steps.rs` itself; only words and barrier are the model's.

use std::collections::VecDeque;

use hotsled_abi::Generation;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};

use super::steps::{Slot, Word, drain};

/// The device that is retired.
const GOING: Generation = Generation(1);
/// The device that stays in use.
const STAYING: Generation = Generation(2);

/// Stores on their way to memory: which word, which value.
type Buffer = VecDeque<(usize, u64)>;

/// Sequence and generation of one slot as memory holds them, and the stores on their way there.
#[derive(Default)]
struct Core(Mutex<([u64; 2], Buffer)>);

impl Core {
    fn write_back(&self, most: usize) {
        let (memory, buffer) = &mut *self.0.lock().unwrap();
        for _ in 0..most.min(buffer.len()) {
            let (at, value) = buffer.pop_front().expect("as many as there are");
            memory[at] = value;
        }
    }
}

/// A word as its own thread sees it: its own stores first.
struct Own(Arc<Core>, usize);

impl Word for Own {
    fn read(&self) -> u64 {
        let (memory, buffer) = &*self.0.0.lock().unwrap();
        let mut newest = buffer.iter().rev();
        let own = newest.find(|(at, _)| *at == self.1);
        own.map_or(memory[self.1], |(_, value)| *value)
    }

    fn write(&self, value: u64) {
        self.0.0.lock().unwrap().1.push_back((self.1, value));
    }
}

/// A word as another thread sees it: memory.
struct Seen(Arc<Core>, usize);

impl Word for Seen {
    fn read(&self) -> u64 {
        self.0.0.lock().unwrap().0[self.1]
    }

    fn write(&self, _: u64) {
        unreachable!("a slot is written by its own thread");
    }
}

/// What belongs to a device; loom fails when one thread frees it while another may use it.
struct Device {
    current: AtomicU64,
    memory: UnsafeCell<bool>,
}

impl Device {
    fn bound(generation: Generation) -> Self {
        Self {
            current: AtomicU64::new(generation.0),
            memory: UnsafeCell::new(true),
        }
    }

    fn is(&self, generation: Generation) -> bool {
        self.current.load(Ordering::Acquire) == generation.0
    }

    fn use_it(&self) {
        // SAFETY: what this reads is a `bool`; that nobody writes it now is what the model checks.
        let valid = self.memory.with(|memory| unsafe { *memory });
        assert!(valid, "used after drain");
    }

    fn free(&self) {
        // SAFETY: as in `use_it`.
        self.memory.with_mut(|memory| unsafe { *memory = false });
    }
}

/// What a broken variant leaves out.
#[derive(Clone, Copy, PartialEq)]
enum Without {
    Nothing,
    Barrier,
    LookAgain,
}

/// One call: E1 to E5. `leaves` is false for traffic that never stops.
fn call(
    slot: &Slot<Own, ()>,
    device: &Device,
    generation: Generation,
    without: Without,
    leaves: bool,
) {
    if !device.is(generation) {
        return;
    }
    let look_again = || without == Without::LookAgain || device.is(generation);
    if slot.enter(generation, look_again) {
        device.use_it();
        if leaves {
            slot.leave();
        }
    }
}

fn explore(without: Without) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || one_execution(without));
}

/// A thread calls into the device that goes; another is for ever in and out of the one that stays.
fn one_execution(without: Without) {
    let going = Arc::new(Device::bound(GOING));
    let staying = Arc::new(Device::bound(STAYING));
    let cores = [0, 1].map(|_| Arc::new(Core::default()));

    let caller = {
        let (core, device) = (cores[0].clone(), going.clone());
        loom::thread::spawn(move || {
            let slot = Slot::new(Own(core.clone(), 0), Own(core.clone(), 1), ());
            call(&slot, &device, GOING, without, true);
            core.write_back(usize::MAX);
        })
    };
    let traffic = {
        let (core, device) = (cores[1].clone(), staying);
        loom::thread::spawn(move || {
            let slot = Slot::new(Own(core.clone(), 0), Own(core.clone(), 1), ());
            call(&slot, &device, STAYING, without, true);
            core.write_back(usize::MAX);
            call(&slot, &device, STAYING, without, false);
            core.write_back(usize::MAX);
        })
    };
    let memory = {
        let core = cores[0].clone();
        loom::thread::spawn(move || (0..2).for_each(|_| core.write_back(1)))
    };

    going.current.swap(0, Ordering::AcqRel); // D1
    let barrier = || {
        if without != Without::Barrier {
            cores.iter().for_each(|core| core.write_back(usize::MAX));
        }
    };
    let slots: Vec<_> = cores
        .iter()
        .map(|core| Slot::new(Seen(core.clone(), 0), Seen(core.clone(), 1), ()))
        .collect();
    let patient = || {
        loom::thread::yield_now();
        true
    };
    let drained = drain(GOING, barrier, || slots.iter().collect(), patient);
    assert!(
        drained.is_ok(),
        "the traffic to the other device held up the drain"
    );
    going.free(); // D5
    for thread in [caller, traffic, memory] {
        thread.join().unwrap();
    }
}

#[test]
fn nothing_is_used_after_a_drain_that_ends_under_traffic_to_another_device() {
    explore(Without::Nothing);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_the_barrier_the_model_fails() {
    explore(Without::Barrier);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_the_second_look_the_model_fails() {
    explore(Without::LookAgain);
}
