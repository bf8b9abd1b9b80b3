//! Anonymous files: link memory and published code.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::page::PageLen;

/// Creates an anonymous file of a fixed length, closed on exec, that can be sealed.
///
/// # Errors
/// What memfd_create(2) or ftruncate(2) report.
pub fn create(name: &CStr, len: PageLen) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a NUL-terminated string that outlives the call.
    let raw = crate::check(unsafe { libc::memfd_create(name.as_ptr(), flags) })?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: ftruncate takes a descriptor and a length.
    crate::check(unsafe { libc::ftruncate(raw, len.bytes() as i64) })?;
    Ok(fd)
}

/// Fixes the file's length for ever, so that no holder can make another's mapping fault.
///
/// # Errors
/// What fcntl(2) reports.
pub fn seal_length(fd: BorrowedFd<'_>) -> io::Result<()> {
    add_seals(
        fd,
        libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL,
    )
}

/// Fixes length and contents for ever; refused while a writable mapping exists.
///
/// # Errors
/// What fcntl(2) reports.
pub fn seal_contents(fd: BorrowedFd<'_>) -> io::Result<()> {
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
    add_seals(fd, seals)
}

/// Whether the length is sealed against shrinking and growing.
pub fn length_is_sealed(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: F_GET_SEALS takes no further argument.
    let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
    seals != -1 && seals & libc::F_SEAL_SHRINK != 0 && seals & libc::F_SEAL_GROW != 0
}

/// Length of the file in bytes.
///
/// # Errors
/// What fstat(2) reports.
pub fn len(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` has room for one struct stat.
    crate::check(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded and has filled it.
    let stat = unsafe { stat.assume_init() };
    Ok(stat.st_size as u64)
}

fn add_seals(fd: BorrowedFd<'_>, seals: libc::c_int) -> io::Result<()> {
    // SAFETY: F_ADD_SEALS takes the seals as its argument.
    crate::check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) }).map(drop)
}
