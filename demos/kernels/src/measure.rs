//! One kernel on one target, beside plain rayon.

use std::time::{Duration, Instant};

use hotsled::Engine;
use serde::Serialize;

use crate::kernel::{Entry, Kernel};
use crate::target::Target;

/// Timed runs of each side, turn about; the fastest counts.
const RUNS: usize = 5;
/// How long a device may take to commit its first chunk.
const WARM_UP: Duration = Duration::from_secs(3);

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The kernel.
    pub kernel: &'static str,
    /// The target.
    pub on: &'static str,
    /// The size.
    pub size: usize,
    /// Every run was right and, on a device, at least one timed run used the device.
    pub ok: bool,
    /// The section's fastest run; on a device, of the runs of which it committed a part.
    pub seconds: Option<f64>,
    /// The fastest run in plain rayon.
    pub rayon_seconds: Option<f64>,
    /// `rayon_seconds / seconds`: above 1 the section is faster.
    pub ratio: Option<f64>,
    /// Every run had the bits of plain rayon.
    pub exact: bool,
    /// The part of the indices that devices computed, in the timed runs.
    pub device_share: f64,
    /// Why the row is not ok.
    pub note: Option<String>,
}

impl Row {
    /// The row of a target that is not there.
    pub fn missing(entry: &Entry, size: usize, on: Target, why: &str) -> Self {
        Self {
            kernel: entry.name,
            on: on.name(),
            size,
            ok: false,
            seconds: None,
            rayon_seconds: None,
            ratio: None,
            exact: false,
            device_share: 0.0,
            note: Some(why.to_owned()),
        }
    }
}

/// Runs `entry` on `on`, whose device is plugged, and in plain rayon.
pub fn measure(entry: &'static Entry, size: usize, on: Target, engine: &Engine) -> Row {
    let mut measured = Measured::new(entry, size, on, engine);
    measured.warm_up();
    for _ in 0..RUNS {
        measured.run_rayon();
        let run = measured.run_section();
        measured.count(&run);
    }
    measured.row()
}

/// One run of the section.
struct Run {
    seconds: f64,
    device: u64,
    cpu: u64,
}

struct Measured<'a> {
    entry: &'static Entry,
    size: usize,
    on: Target,
    engine: &'a Engine,
    reference: Box<dyn Kernel>,
    exact: bool,
    wrong: Option<String>,
    rayon: Option<f64>,
    section: Option<f64>,
    device: u64,
    cpu: u64,
}

impl<'a> Measured<'a> {
    fn new(entry: &'static Entry, size: usize, on: Target, engine: &'a Engine) -> Self {
        let mut reference = (entry.new)(size);
        reference.rayon();
        let wrong = reference.known().err();
        Self {
            entry,
            size,
            on,
            engine,
            reference,
            exact: true,
            wrong: wrong.map(|e| format!("plain rayon: {e}")),
            rayon: None,
            section: None,
            device: 0,
            cpu: 0,
        }
    }

    /// Runs until a device takes part; on the CPU, once.
    fn warm_up(&mut self) {
        let deadline = Instant::now() + WARM_UP;
        while self.run_section().device == 0 && self.on != Target::Cpu && Instant::now() < deadline
        {
        }
    }

    fn run_rayon(&mut self) {
        let mut problem = (self.entry.new)(self.size);
        let begin = Instant::now();
        problem.rayon();
        keep_least(&mut self.rayon, begin.elapsed().as_secs_f64());
    }

    fn run_section(&mut self) -> Run {
        let mut problem = (self.entry.new)(self.size);
        let before = self.entry.section_counts(self.engine);
        let begin = Instant::now();
        problem.section();
        let seconds = begin.elapsed().as_secs_f64();
        let after = self.entry.section_counts(self.engine);
        self.check(&*problem);
        Run {
            seconds,
            device: after.elements_device - before.elements_device,
            cpu: after.elements_cpu - before.elements_cpu,
        }
    }

    fn check(&mut self, problem: &dyn Kernel) {
        self.exact &= problem.values().same_bits(self.reference.values());
        if let Err(why) = self.entry.check(problem, &*self.reference) {
            self.wrong.get_or_insert(why);
        }
    }

    /// Only runs that the device took part in are its time.
    fn count(&mut self, run: &Run) {
        self.device += run.device;
        self.cpu += run.cpu;
        if self.on == Target::Cpu || run.device > 0 {
            keep_least(&mut self.section, run.seconds);
        }
    }

    fn row(self) -> Row {
        let idle = self
            .section
            .is_none()
            .then(|| self.entry.reason(self.engine));
        let note = self.wrong.or(idle);
        let (seconds, rayon_seconds) = (self.section, self.rayon);
        Row {
            kernel: self.entry.name,
            on: self.on.name(),
            size: self.size,
            ok: note.is_none(),
            seconds,
            rayon_seconds,
            ratio: seconds.zip(rayon_seconds).map(|(s, r)| r / s),
            exact: self.exact,
            device_share: self.device as f64 / (self.device + self.cpu).max(1) as f64,
            note,
        }
    }
}

fn keep_least(least: &mut Option<f64>, seconds: f64) {
    *least = Some(least.map_or(seconds, |l| l.min(seconds)));
}
