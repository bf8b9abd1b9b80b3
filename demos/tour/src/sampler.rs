//! Where every section ran, sampled while the story goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use image_service::{EngineView, Service};

const PERIOD: Duration = Duration::from_millis(100);

/// Where the sections ran until one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the service started.
    pub at_ms: f64,
    /// Whether a device was bound.
    pub bound: bool,
    /// For each section: where its calls since the sample before ran; idle if there was none.
    pub places: Vec<Place>,
}

/// Where calls ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No call ended.
    Idle,
    /// On the CPU alone.
    Cpu,
    /// On a device, in part at least.
    Device,
    /// Some calls on the CPU, some on a device.
    Mixed,
}

impl Place {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Idle, place) | (place, Self::Idle) => place,
            (a, b) if a == b => a,
            _ => Self::Mixed,
        }
    }
}

/// Calls of a section on the CPU and on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// On the CPU alone.
    pub cpu: u64,
    /// With at least one chunk of a device.
    pub device: u64,
}

impl Calls {
    fn since(self, before: Self) -> Place {
        match (self.cpu > before.cpu, self.device > before.device) {
            (false, false) => Place::Idle,
            (true, false) => Place::Cpu,
            (false, true) => Place::Device,
            (true, true) => Place::Mixed,
        }
    }
}

/// The sampling thread.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Samples from now on.
    pub fn start(service: &Arc<Service>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (service, stopped) = (service.clone(), stop.clone());
        let thread = std::thread::spawn(move || run(&service, &stopped));
        Self { stop, thread }
    }

    /// Ends; returns the samples by time.
    pub fn stop(self) -> Vec<Sample> {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the sampler does not panic")
    }
}

fn run(service: &Service, stop: &AtomicBool) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut before = calls(&service.accelerator().view());
    while !stop.load(Relaxed) {
        std::thread::sleep(PERIOD);
        let view = service.accelerator().view();
        let now = calls(&view);
        let pairs = now.iter().zip(&before);
        samples.push(Sample {
            at_ms: service.started().elapsed().as_secs_f64() * 1000.0,
            bound: view.bound(),
            places: pairs.map(|(now, before)| now.since(*before)).collect(),
        });
        before = now;
    }
    samples
}

/// The calls of every section so far.
pub fn calls(view: &EngineView) -> Vec<Calls> {
    let sections = view.sections.iter();
    sections
        .map(|section| Calls {
            cpu: section.calls_cpu,
            device: section.calls_device,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_since_the_last_sample_count() {
        let at = |cpu, device| Calls { cpu, device };
        assert_eq!(at(5, 5).since(at(5, 5)), Place::Idle);
        assert_eq!(at(6, 5).since(at(5, 5)), Place::Cpu);
        assert_eq!(at(5, 6).since(at(5, 5)), Place::Device);
        assert_eq!(at(6, 6).since(at(5, 5)), Place::Mixed);
    }
}
