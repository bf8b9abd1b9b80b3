//! One picture per filter and phase, as it came over HTTP.

use std::io;
use std::path::Path;

use crate::answers::Answer;
use crate::load::{Work, agent};

/// Asks for every filter once and writes `NAME-PHASE.png`; returns the answers.
///
/// # Errors
/// A file cannot be written.
pub fn take(work: &Work, out: &Path, phase: &str) -> io::Result<Vec<Answer>> {
    let agent = agent();
    let mut answers = Vec::new();
    for task in &work.tasks {
        let (answer, png) = work.ask(&agent, task);
        if !png.is_empty() {
            std::fs::write(out.join(format!("{}-{phase}.png", task.name)), png)?;
        }
        answers.push(answer);
    }
    Ok(answers)
}
