//! Generated data, the same in every run.

/// Numbers that look random: Knuth's MMIX congruential generator, upper half.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn u32(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 32) as u32
    }

    /// In `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.u32()) / 4294967296.0
    }

    /// In `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// `n` values of the sine's half wave, zero at both ends.
pub fn half_wave(n: usize) -> Vec<f64> {
    let step = std::f64::consts::PI / (n - 1) as f64;
    (0..n).map(|i| (step * i as f64).sin()).collect()
}
