//! Instructions of a call, counted by valgrind's callgrind.

use std::path::Path;
use std::process::Command;

const FEW: u32 = 1000;
const MORE: u32 = 10_000;

/// Instructions of one call of the program that makes as many as its last argument says: the difference of
/// two runs, so that start-up falls out. `None` without valgrind.
pub fn instructions(program: &Path, args: &[&str]) -> Option<f64> {
    let few = collected(program, args, FEW)?;
    let many = collected(program, args, FEW + MORE)?;
    Some((many - few) / f64::from(MORE))
}

fn collected(program: &Path, args: &[&str], count: u32) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(args)
        .arg(count.to_string())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|l| l.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}
