//! Facts about this process's threads from `/proc/self`.

use std::fs;
use std::io;

/// A thread by number and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Kernel thread id.
    pub tid: i32,
    /// Name as the kernel keeps it.
    pub name: String,
}

/// Threads that block `signal` right now.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn blocking(signal: i32) -> io::Result<Vec<Thread>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        // A thread that ended meanwhile blocks nothing.
        let Ok(status) = fs::read_to_string(path.join("status")) else {
            continue;
        };
        if blocks(&status, signal) {
            let tid = path
                .file_name()
                .and_then(|n| n.to_str())
                .and_then(|n| n.parse().ok());
            let name = field(&status, "Name:").unwrap_or("").to_owned();
            found.push(Thread {
                tid: tid.unwrap_or(0),
                name,
            });
        }
    }
    Ok(found)
}

/// The process that traces this one, if any.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn tracer() -> io::Result<Option<i32>> {
    let status = fs::read_to_string("/proc/self/status")?;
    Ok(field(&status, "TracerPid:")
        .and_then(|v| v.parse().ok())
        .filter(|&pid| pid != 0))
}

fn blocks(status: &str, signal: i32) -> bool {
    let mask = field(status, "SigBlk:")
        .and_then(|v| u64::from_str_radix(v, 16).ok())
        .unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_blocks_is_named() {
        assert!(
            !blocking(libc::SIGTRAP)
                .unwrap()
                .iter()
                .any(|t| t.tid == crate::tid())
        );
        let _guard = crate::signal::BlockAll::new();
        assert!(
            blocking(libc::SIGTRAP)
                .unwrap()
                .iter()
                .any(|t| t.tid == crate::tid())
        );
    }
}
