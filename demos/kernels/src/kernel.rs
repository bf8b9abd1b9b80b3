//! What a kernel of the suite is.

use hotsled::{Engine, SectionCounts};

use crate::values::Values;

/// One problem, before or after it is computed. Made anew for every run, always of the same data.
pub trait Kernel: Send + Sync {
    /// Computes it by the section.
    fn section(&mut self);

    /// Computes it by the same loop in plain rayon, which shares no code with the section.
    fn rayon(&mut self);

    /// What was computed.
    fn values(&self) -> Values<'_>;

    /// Holds what was computed against what is known of it beforehand.
    ///
    /// # Errors
    /// A sentence about the first difference.
    fn known(&self) -> Result<(), String>;
}

/// A kernel's line in the suite.
#[derive(Debug)]
pub struct Entry {
    /// Its name; with `_` for `-` that of its module.
    pub name: &'static str,
    /// Where the kernel and its known answer come from.
    pub source: &'static str,
    /// What the size counts.
    pub counts: &'static str,
    /// Size to measure.
    pub size: usize,
    /// Size for tests and storms.
    pub small: usize,
    /// Largest difference from plain rayon, as a part of the largest value; 0 where the bits must agree.
    pub tolerance: f64,
    /// Makes the problem of a size.
    pub new: fn(usize) -> Box<dyn Kernel>,
}

impl Entry {
    /// Holds a computed problem against the reference and against what is known.
    ///
    /// # Errors
    /// A sentence about the first difference.
    pub fn check(&self, problem: &dyn Kernel, reference: &dyn Kernel) -> Result<(), String> {
        let (got, wanted) = (problem.values(), reference.values());
        if !got.same_bits(wanted) {
            let difference = got.difference(wanted);
            if self.tolerance == 0.0 || difference > self.tolerance {
                return Err(format!("differs from plain rayon by {difference:e}"));
            }
        }
        problem.known()
    }

    /// What the kernel's sections did so far.
    pub fn section_counts(&self, engine: &Engine) -> SectionCounts {
        let mut sum = SectionCounts::default();
        for section in engine.status().sections {
            if self.owns(&section.path) {
                sum += section.counts;
            }
        }
        sum
    }

    /// Why the kernel's sections do not run on the devices that are plugged.
    pub fn reason(&self, engine: &Engine) -> String {
        let status = engine.status();
        let refused = status.devices.iter().flat_map(|d| &d.refused_sections);
        let mut refused = refused.filter(|(path, _)| self.owns(path));
        if let Some((_, reason)) = refused.next() {
            return format!("the device does not run it: {reason}");
        }
        let mut own = status.sections.iter().filter(|s| self.owns(&s.path));
        let why = own.next().map(|s| s.why.as_str());
        format!("no chunk ran on the device: {}", why.unwrap_or("unknown"))
    }

    fn owns(&self, path: &str) -> bool {
        let module = self.name.replace('-', "_");
        path.split("::").nth(2) == Some(&module)
    }
}
