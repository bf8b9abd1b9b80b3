//! This program, run again as a child that may crash or hang.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a child ended.
#[derive(Debug)]
pub enum Outcome {
    /// In good order.
    Survived,
    /// It said what was wrong.
    Failed(String),
    /// A signal killed it before it could say anything.
    Killed(i32),
    /// It was still running long after its time.
    Hung,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Survived => f.write_str("survived"),
            Self::Failed(what) => f.write_str(what),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::Hung => f.write_str("hung"),
        }
    }
}

/// Runs this program with `arguments` for at most `limit`; its output goes where ours goes.
///
/// # Errors
/// When it cannot be started.
pub fn shown(arguments: &[String], limit: Duration) -> io::Result<Outcome> {
    let mut child = command(arguments)?.spawn()?;
    Ok(outcome(wait(&mut child, limit)?, String::new()))
}

/// As [`shown`], but keeps what it says.
///
/// # Errors
/// When it cannot be started.
pub fn quiet(arguments: &[String], limit: Duration) -> io::Result<Outcome> {
    let mut command = command(arguments)?;
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let status = wait(&mut child, limit)?;
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said)?;
    }
    Ok(outcome(status, said))
}

fn command(arguments: &[String]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null());
    Ok(command)
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn outcome(status: Option<ExitStatus>, said: String) -> Outcome {
    match status {
        None => Outcome::Hung,
        Some(status) if status.success() => Outcome::Survived,
        Some(status) => match status.signal() {
            Some(signal) => Outcome::Killed(signal),
            None => Outcome::Failed(last_line(&said)),
        },
    }
}

fn last_line(said: &str) -> String {
    let line = said.lines().next_back().unwrap_or("failed");
    line.trim_start_matches("torture: FAILED: ").to_owned()
}
