//! LLVM XRay, in the program that clang makes of `peers/xray.cpp`: its runtime patches the main image
//! only. It neither syncs cores nor verifies.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cell::ended;
use crate::stall::{GAP, Seen, histogram};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/xray.cpp");
const COMPILER: &str = "clang++-19";

/// Microseconds of every batch over `sites` functions.
///
/// # Errors
/// What is missing, or how the program failed.
pub fn switch(sites: usize, busy: usize, time: Duration) -> Result<Vec<f64>, String> {
    let program = program(&format!("-DSITES={sites}"))?;
    let text = run(&program, &["switch", &busy.to_string(), &millis(time)])?;
    numbers(&text)
}

/// Latencies of one caller.
///
/// # Errors
/// As for [`switch`].
pub fn stall(sites: usize, time: Duration) -> Result<Seen, String> {
    let program = program(&format!("-DSITES={sites}"))?;
    let gap = GAP.as_micros().to_string();
    let text = run(&program, &["stall", &millis(time), &gap])?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let flips = next().ok_or_else(|| unknown(&text))?;
    let mut ticks = histogram();
    while let (Some(value), Some(count)) = (next(), next()) {
        ticks.record_n(value, count).map_err(|e| e.to_string())?;
    }
    Ok(Seen::new(flips, &ticks))
}

/// Nanoseconds a call in each of `rounds` rounds of `count` calls; the way is `direct`, `idle` or `active`.
///
/// # Errors
/// As for [`switch`].
pub fn call(way: &str, rounds: usize, count: u32) -> Result<Vec<f64>, String> {
    let args = [&rounds.to_string(), way, &count.to_string()];
    numbers(&run(&call_program()?, &args)?)
}

/// The program of [`call`], which takes its arguments in the same order.
///
/// # Errors
/// As for [`switch`].
pub fn call_program() -> Result<PathBuf, String> {
    program("-DCALL")
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    numbers
        .ok()
        .filter(|n| !n.is_empty())
        .ok_or_else(|| unknown(text))
}

fn unknown(text: &str) -> String {
    format!("the XRay program said {text:?}")
}

/// Compiles the program with `define`, unless that was done.
fn program(define: &str) -> Result<PathBuf, String> {
    let source = std::fs::read(SOURCE).map_err(|e| format!("{SOURCE}: {e}"))?;
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut hasher = DefaultHasher::new();
    (source, define).hash(&mut hasher);
    let program = own.with_file_name(format!("xray-{:016x}", hasher.finish()));
    if !program.exists() {
        compile(define, &program)?;
    }
    Ok(program)
}

/// Compiles beside the goal and renames, so that no half program is ever run.
fn compile(define: &str, program: &Path) -> Result<(), String> {
    let mut unfinished = OsString::from(program);
    unfinished.push(format!(".{}", std::process::id()));
    let output = Command::new(COMPILER)
        .args(["-std=c++17", "-O2", "-pthread", "-fxray-instrument"])
        .args([
            "-fxray-instruction-threshold=1000000",
            "-fxray-ignore-loops",
        ])
        .args([define, SOURCE, "-o"])
        .arg(&unfinished)
        .output()
        .map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                format!("{COMPILER} is not installed (apt-get install clang-19)")
            }
            _ => format!("{COMPILER}: {e}"),
        })?;
    if !output.status.success() {
        return Err(format!(
            "{COMPILER} {}",
            ended(output.status, &output.stderr)
        ));
    }
    std::fs::rename(&unfinished, program).map_err(|e| e.to_string())
}

fn run(program: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|e| format!("{}: {e}", program.display()))?;
    if !output.status.success() {
        return Err(ended(output.status, &output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
