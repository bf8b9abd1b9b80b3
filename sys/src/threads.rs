//! Facts about this process's threads from `/proc/self`.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// A thread by number and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Kernel thread id.
    pub tid: i32,
    /// Name as the kernel keeps it.
    pub name: String,
}

/// Threads that block `signal` right now; for the signals below 32.
///
/// Reads `stat` of each other thread, which the kernel writes in half the time of `status`; the calling one asks for
/// its own mask.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn blocking(signal: i32) -> io::Result<Vec<Thread>> {
    debug_assert!((1..32).contains(&signal), "stat shows the first 31 signals");
    let (own, mut found) = (crate::tid(), Vec::new());
    if crate::signal::is_blocked(signal) {
        let name = name(own).unwrap_or_default();
        found.push(Thread { tid: own, name });
    }
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        if number(&entry.file_name()) == Some(own) {
            continue;
        }
        let mut start = [0; START];
        // A thread that ended meanwhile blocks nothing.
        let Ok(stat) = start_of(&entry.path().join("stat"), &mut start) else {
            continue;
        };
        let (thread, blocked) = parse(&stat).ok_or_else(|| unknown(&stat))?;
        if blocked >> (signal - 1) & 1 == 1 {
            found.push(thread);
        }
    }
    Ok(found)
}

fn number(name: &OsStr) -> Option<i32> {
    name.to_str()?.parse().ok()
}

/// More than the lines that are looked for can be away from a file's start.
const START: usize = 1024;

/// The start of a small file of `/proc`, in one read; thread names may be any bytes.
fn start_of<'b>(path: &Path, buffer: &'b mut [u8; START]) -> io::Result<Cow<'b, str>> {
    let len = File::open(path)?.read(buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..len]))
}

fn unknown(text: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("/proc/self: unknown form {text:?}"),
    )
}

/// The thread of a `stat` line and the signals it blocks; its name may hold blanks and brackets.
fn parse(stat: &str) -> Option<(Thread, u64)> {
    /// Field 32 of proc_pid_stat(5); the first after the name is field 3.
    const BLOCKED: usize = 32 - 3;
    let (tid, rest) = stat.split_once(" (")?;
    let (name, fields) = rest.rsplit_once(") ")?;
    let blocked = fields.split(' ').nth(BLOCKED)?.parse().ok()?;
    let (tid, name) = (tid.parse().ok()?, name.to_owned());
    Some((Thread { tid, name }, blocked))
}

/// Name of a thread of this process, unless it has ended.
pub fn name(tid: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/self/task/{tid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// How many threads this process has, the calling one included.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn count() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// The process that traces this one, if any.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn tracer() -> io::Result<Option<i32>> {
    let mut start = [0; START];
    let status = start_of(Path::new("/proc/self/status"), &mut start)?;
    let tracer = field(&status, "TracerPid:").and_then(|v| v.parse().ok());
    let tracer = tracer.ok_or_else(|| unknown(&status))?;
    Ok((tracer != 0).then_some(tracer))
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
    fn a_thread_more_is_counted() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        assert!(count().unwrap() >= 2);
        drop(stop);
        let _ = thread.join();
    }

    #[test]
    fn only_the_thread_that_blocks_is_named() {
        let own = |found: Vec<Thread>| found.iter().any(|t| t.tid == crate::tid());
        assert!(!own(blocking(libc::SIGTRAP).unwrap()));
        let _guard = crate::signal::Blocked::all();
        assert!(own(blocking(libc::SIGTRAP).unwrap()));
    }

    #[test]
    fn another_thread_that_blocks_is_named_and_ours_is_not() {
        let (blocked, is_blocked) = std::sync::mpsc::channel();
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _guard = crate::signal::Blocked::all();
            blocked.send(crate::tid()).unwrap();
            let _ = wait.recv();
        });
        let tid = is_blocked.recv().unwrap();
        let found = blocking(libc::SIGTRAP).unwrap();
        assert!(found.iter().any(|t| t.tid == tid));
        assert!(found.iter().all(|t| t.tid != crate::tid()));
        drop(stop);
        let _ = thread.join();
    }

    #[test]
    fn a_thread_that_blocks_what_others_send_still_takes_traps() {
        let _guard = crate::signal::Blocked::sent();
        let own = |signal| {
            blocking(signal)
                .unwrap()
                .iter()
                .any(|t| t.tid == crate::tid())
        };
        assert!(own(libc::SIGTERM) && !own(libc::SIGTRAP));
    }

    #[test]
    fn names_may_hold_blanks_and_brackets() {
        let line = format!("7 (a) (b) S{} 16 0", " 1".repeat(28));
        let (thread, blocked) = parse(&line).unwrap();
        assert_eq!(
            (thread.tid, thread.name.as_str(), blocked),
            (7, "a) (b", 16)
        );
    }
}
