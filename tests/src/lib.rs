//! Sections and helpers that the whole-system tests share.

pub mod plugin;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hotsled::parallel;

/// `y = a * x + y`.
#[hotsled::section]
pub fn saxpy(a: f32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = a * x[i] + y[i];
    }
}

/// A few microseconds of arithmetic per element, reading everywhere.
#[hotsled::section]
pub fn stir(rounds: u32, x: &[u32], out: &mut [u32]) {
    for i in parallel(0..out.len()) {
        let mut v = x[i];
        let mut k = 0;
        while k < rounds {
            v = v * 1664525 + x[(v as usize + i) % x.len()];
            v = v ^ (v >> 13);
            k += 1;
        }
        out[i] = v;
    }
}

/// What [`stir`] gives.
pub fn stirred(rounds: u32, x: &[u32]) -> Vec<u32> {
    let one = |i: usize| {
        let mut v = x[i];
        for _ in 0..rounds {
            v = v
                .wrapping_mul(1664525)
                .wrapping_add(x[(v as usize + i) % x.len()]);
            v ^= v >> 13;
        }
        v
    };
    (0..x.len()).map(one).collect()
}

/// Input for [`stir`].
pub fn numbers(n: u32) -> Vec<u32> {
    (0..n)
        .map(|i| i.wrapping_mul(2654435761) ^ 0x5eed)
        .collect()
}

/// A small generator for schedules; prints well as a seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A generator from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Waits for something that must come true.
///
/// # Panics
/// After half a minute.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Calls [`stir`] and compares.
pub fn is_right(x: &[u32], wanted: &[u32]) -> bool {
    let mut out = vec![0; x.len()];
    stir(30, x, &mut out);
    out == wanted
}

/// Threads that call [`stir`] until told to stop, and count what came back wrong.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(u64, u64)>>,
}

impl Load {
    /// Starts `threads` callers over `elements` numbers each.
    pub fn start(threads: usize, elements: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = || {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let x = numbers(elements);
                let wanted = stirred(30, &x);
                let (mut calls, mut wrong) = (0, 0);
                while !stop.load(Ordering::Relaxed) {
                    wrong += u64::from(!is_right(&x, &wanted));
                    calls += 1;
                }
                (calls, wrong)
            })
        };
        let threads = (0..threads).map(|_| caller()).collect();
        Self { stop, threads }
    }

    /// Calls made and wrong results.
    pub fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let add = |(a, b): (u64, u64), (c, d)| (a + c, b + d);
        let counts = self
            .threads
            .into_iter()
            .map(|t| t.join().expect("a caller"));
        counts.fold((0, 0), add)
    }
}
