//! The runtime's own epoch, with and without the look at the generation after entry.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotsled::epoch;
use hotsled_abi::{Generation, SiteId};
use hotsled_sys::membarrier::Barriers;

use crate::failure::fail;
use crate::random::Random;

static CURRENT: AtomicU64 = AtomicU64::new(0);
/// The generation whose device is there; 0 once it is freed.
static THERE: AtomicU64 = AtomicU64::new(0);

/// The protocol as it is.
pub fn with_second_look(time: Duration) {
    play(time, |_| current());
}

/// The look finds what the thread hopes for.
pub fn without_second_look(time: Duration) {
    play(time, |generation| generation);
}

fn current() -> Generation {
    Generation(CURRENT.load(Ordering::Acquire))
}

/// Devices come and go; threads use them, and are held up between their look and their entry.
fn play(time: Duration, look: fn(Generation) -> Generation) {
    let barriers = Barriers::register().expect("membarrier");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for stream in 0..4 {
            let stop = &stop;
            scope.spawn(move || use_devices(Random::new(1, stream), look, stop));
        }
        let began = Instant::now();
        for generation in (1..).map(Generation) {
            one_presence(generation, barriers);
            if began.elapsed() >= time {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn one_presence(generation: Generation, barriers: Barriers) {
    THERE.store(generation.0, Ordering::SeqCst);
    CURRENT.store(generation.0, Ordering::SeqCst);
    std::thread::sleep(Duration::from_micros(100));
    CURRENT.store(0, Ordering::SeqCst);
    if let Err(stragglers) = epoch::drain(generation, barriers, Duration::from_secs(30)) {
        fail(format_args!("a drain did not end: {stragglers:?}"));
    }
    THERE.store(0, Ordering::SeqCst);
}

fn use_devices(mut random: Random, look: fn(Generation) -> Generation, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let generation = current();
        if generation == Generation::NONE {
            continue;
        }
        match random.below(1024) {
            0 => std::thread::sleep(Duration::from_micros(50 + random.below(300) as u64)),
            1..8 => std::thread::yield_now(),
            _ => {}
        }
        let Some(_inside) = epoch::enter(generation, SiteId(0), || look(generation)) else {
            continue;
        };
        if THERE.load(Ordering::Relaxed) != generation.0 {
            fail(format_args!(
                "generation {generation} was used after its drain"
            ));
        }
    }
}
