//! Mappings. None made here is ever writable and executable at once.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use crate::page::{self, PageLen};

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
        map(
            std::ptr::null_mut(),
            len,
            access,
            flags,
            (fd.as_raw_fd(), 0),
        )
    }

    /// Maps `len` bytes of a file from `offset` on privately, anywhere.
    ///
    /// # Errors
    /// What mmap(2) reports.
    pub fn of_file_from(
        fd: BorrowedFd<'_>,
        offset: u64,
        len: PageLen,
        access: Access,
    ) -> io::Result<Self> {
        let file = (fd.as_raw_fd(), offset);
        map(std::ptr::null_mut(), len, access, libc::MAP_PRIVATE, file)
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
            (fd.as_raw_fd(), 0),
        )
    }

    /// Maps zeroed private memory.
    ///
    /// # Errors
    /// What mmap(2) reports.
    pub fn anonymous(len: PageLen) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        map(std::ptr::null_mut(), len, Access::ReadWrite, flags, (-1, 0))
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

    /// Changes what the mapping allows; memory that was not executable does not become so under
    /// PR_SET_MDWE.
    ///
    /// # Errors
    /// What mprotect(2) reports.
    pub fn allow(&self, access: Access) -> io::Result<()> {
        // SAFETY: the range is this mapping; only its users' raw pointers can notice.
        let result =
            unsafe { libc::mprotect(self.start().cast(), self.len.bytes(), access.bits()) };
        crate::check(result).map(drop)
    }

    /// Puts the mapping in place of whatever is mapped at `address`, in one step for every thread:
    /// whoever touches the range finds the old pages or the new ones.
    ///
    /// # Errors
    /// What mremap(2) reports.
    ///
    /// # Safety
    /// As for [`move_over`].
    pub unsafe fn put_over(self, address: u64) -> io::Result<()> {
        let (start, len) = (self.start, self.len);
        // SAFETY: the caller vouches for the target; the mapping is owned.
        let moved = unsafe { move_over(start, len, address) };
        if moved.is_ok() {
            std::mem::forget(self);
        }
        moved
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is this mapping, which lives as long as `self`.
        let result = unsafe { libc::madvise(self.start().cast(), self.len.bytes(), advice) };
        crate::check(result).map(drop)
    }
}

/// Makes the kernel look at every page of a range, as a read of each would; nothing changes but page tables.
///
/// # Errors
/// What madvise(2) reports: `ENOMEM` and `EFAULT` where a read would fault, `EINVAL` before Linux 5.14.
pub fn populate(start: u64, len: usize) -> io::Result<()> {
    let first = page::floor(start);
    let bytes = (start - first) as usize + len;
    // SAFETY: reading faults pages in, and changes no byte.
    let result = unsafe { libc::madvise(first as *mut _, bytes, libc::MADV_POPULATE_READ) };
    crate::check(result).map(drop)
}

/// Moves `len` bytes of mappings from `start` to `address`, in place of what is mapped there. One system
/// call, hence async-signal-safe.
///
/// # Errors
/// What mremap(2) reports.
///
/// # Safety
/// Nobody uses the range at `start` any more, and whoever uses the range at `address` is content with the
/// new pages.
pub unsafe fn move_over(start: NonNull<u8>, len: PageLen, address: u64) -> io::Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    let (start, len) = (start.as_ptr().cast(), len.bytes());
    // SAFETY: the caller vouches for both ranges.
    let moved = unsafe { libc::mremap(start, len, len, flags, address as *mut libc::c_void) };
    if moved == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(())
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
    (fd, offset): (libc::c_int, u64),
) -> io::Result<Mapping> {
    // SAFETY: no flag here replaces an existing mapping, so no memory in use changes.
    let start = unsafe {
        libc::mmap(
            address,
            len.bytes(),
            access.bits(),
            flags,
            fd,
            offset as i64,
        )
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_mapped_can_be_populated() {
        let len = PageLen::holding(1);
        let mapping = Mapping::anonymous(len).unwrap();
        let start = mapping.start() as u64;
        assert!(populate(start + 8, 16).is_ok());
        // Into the first page, where nothing is ever mapped.
        let error = populate(0, 1).unwrap_err().raw_os_error();
        assert!(matches!(error, Some(libc::ENOMEM | libc::EINVAL)));
    }
}
