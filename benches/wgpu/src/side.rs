//! What both sides can do.

use crate::data::Data;
use crate::problem::Problem;

/// A kernel that is ready to run on one side, its data on the device.
pub trait Side {
    /// Uploads every slice anew.
    fn reset(&mut self, problem: &Problem);

    /// Runs the kernel once and waits for it; this alone is timed.
    fn launch(&mut self);

    /// Downloads the results.
    fn results(&mut self, problem: &Problem) -> Vec<Data>;
}
