//! Mappings. None made here is ever writable and executable at once.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use crate::page::PageLen;

/// What a mapping allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
}

impl Access {
    fn bits(self) -> libc::c_int {
        match self {
            Self::Read => libc::PROT_READ,
            Self::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
            Self::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        }
    }
}

/// Who sees writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Everyone who maps the file.
    Shared,
    /// This process alone.
    Private,
}

/// An owned mapping, unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: PageLen,
}

// SAFETY: a mapping is memory of the process, not of a thread; access goes through raw pointers
// whose users say how they share it.
unsafe impl Send for Mapping {}
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a file anywhere.
    ///
    /// # Errors
    /// What mmap(2) reports.
    pub fn of_file(
        fd: BorrowedFd<'_>,
        len: PageLen,
        access: Access,
        sharing: Sharing,
    ) -> io::Result<Self> {
        let flags = match sharing {
            Sharing::Shared => libc::MAP_SHARED,
            Sharing::Private => libc::MAP_PRIVATE,
        };
        map(std::ptr::null_mut(), len, access, flags, fd.as_raw_fd())
    }

    /// Maps the first `len` bytes of a file at `address`, and fails with `EEXIST` where anything is
    /// mapped already.
    ///
    /// # Errors
    /// What mmap(2) reports.
    pub fn of_file_at(
        fd: BorrowedFd<'_>,
        address: u64,
        len: PageLen,
        access: Access,
    ) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE;
        map(
            address as *mut libc::c_void,
            len,
            access,
            flags,
            fd.as_raw_fd(),
        )
    }

    /// Maps zeroed private memory.
    ///
    /// # Errors
    /// What mmap(2) reports.
    pub fn anonymous(len: PageLen) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        map(std::ptr::null_mut(), len, Access::ReadWrite, flags, -1)
    }

    /// First byte.
    pub fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Length.
    pub fn len(&self) -> PageLen {
        self.len
    }

    /// Never false: a mapping has at least one page.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Leaves the mapping in place for the rest of the process's life.
    pub fn leak(self) -> *mut u8 {
        let start = self.start();
        std::mem::forget(self);
        start
    }

    /// A child of any fork sees these pages as zeroes.
    ///
    /// # Errors
    /// What madvise(2) reports.
    pub fn wipe_on_fork(&self) -> io::Result<()> {
        self.advise(libc::MADV_WIPEONFORK)
    }

    /// A child of any fork does not have these pages at all.
    ///
    /// # Errors
    /// What madvise(2) reports.
    pub fn keep_from_children(&self) -> io::Result<()> {
        self.advise(libc::MADV_DONTFORK)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is this mapping, which lives as long as `self`.
        let result = unsafe { libc::madvise(self.start().cast(), self.len.bytes(), advice) };
        crate::check(result).map(drop)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is owned by this value, and `leak` forgets the value.
        unsafe { libc::munmap(self.start().cast(), self.len.bytes()) };
    }
}

fn map(
    address: *mut libc::c_void,
    len: PageLen,
    access: Access,
    flags: libc::c_int,
    fd: libc::c_int,
) -> io::Result<Mapping> {
    // SAFETY: no flag here replaces an existing mapping, so no memory in use changes.
    let start = unsafe { libc::mmap(address, len.bytes(), access.bits(), flags, fd, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = NonNull::new(start.cast()).expect("mmap gives no null page unless asked");
    let mapping = Mapping { start, len };
    // Kernels before 4.17 take MAP_FIXED_NOREPLACE as a hint.
    if !address.is_null() && mapping.start() != address.cast() {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    Ok(mapping)
}
