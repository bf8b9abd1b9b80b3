//! This process's own memory through `/proc/self/mem`: writes to read-only private text without ever
//! making it writable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// `/proc/self/mem`, opened for one session.
///
/// A descriptor opened before a fork writes the *parent's* memory, so every use checks the pid.
#[derive(Debug)]
pub struct ProcMem {
    file: File,
    pid: i32,
}

impl ProcMem {
    /// Opens it for the calling process.
    ///
    /// # Errors
    /// When `/proc` is not mounted or the kernel forbids it.
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/proc/self/mem")?;
        Ok(Self {
            file,
            pid: crate::pid(),
        })
    }

    /// Reads `buffer.len()` bytes at `address`.
    ///
    /// # Errors
    /// When the range is not mapped, or the process is a fork of the one that opened it.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check_owner()?;
        self.file.read_exact_at(buffer, address)
    }

    /// Writes all of `bytes` at `address`, through write protection.
    ///
    /// # Errors
    /// When the range is not mapped, the kernel refuses to write it, or the process is a fork of the
    /// one that opened it.
    ///
    /// # Safety
    /// The bytes may be code that other threads execute: the caller must follow a protocol under
    /// which every state they can see is valid code, and must own what else lies in the range.
    pub unsafe fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.check_owner()?;
        self.file.write_all_at(bytes, address)
    }

    fn check_owner(&self) -> io::Result<()> {
        if crate::pid() == self.pid {
            return Ok(());
        }
        Err(io::Error::other(
            "this descriptor of /proc/self/mem was opened before a fork",
        ))
    }
}
