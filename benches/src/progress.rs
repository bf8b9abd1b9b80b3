//! Tells on stderr what is being measured.

/// Counts the steps of a run.
#[derive(Debug)]
pub struct Progress {
    bench: &'static str,
    step: usize,
    steps: usize,
}

impl Progress {
    /// A run of so many steps.
    pub fn new(bench: &'static str, steps: usize) -> Self {
        Self {
            bench,
            step: 0,
            steps,
        }
    }

    /// Says that the next step begins.
    pub fn step(&mut self, what: &str) {
        self.step += 1;
        eprintln!("{} {}/{}: {what}", self.bench, self.step, self.steps);
    }
}
