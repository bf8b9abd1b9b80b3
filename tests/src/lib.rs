//! Sections and helpers that the whole-system tests share.

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
