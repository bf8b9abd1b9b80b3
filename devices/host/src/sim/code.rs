//! Publishing machine code: written to an anonymous file, sealed, then mapped executable; no page is
//! ever writable and executable.

use std::io;
use std::os::fd::AsFd;

use hotsled_sys::map::{Access, Mapping, Sharing};
use hotsled_sys::memfd;
use hotsled_sys::page::PageLen;

/// Executable code of one kernel.
pub(crate) struct Code(Mapping);

/// Takes the argument block; returns 0, or 1 for a fault.
type Entry = unsafe extern "C" fn(*const u64) -> u64;

impl Code {
    pub(crate) fn publish(bytes: &[u8]) -> io::Result<Self> {
        let len = PageLen::holding(bytes.len());
        let fd = memfd::create(c"hotsled-kernel", len)?;
        {
            let writable = Mapping::of_file(fd.as_fd(), len, Access::ReadWrite, Sharing::Shared)?;
            // SAFETY: the mapping holds at least `bytes.len()` bytes and nobody else has it.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), writable.start(), bytes.len()) };
        }
        memfd::seal_contents(fd.as_fd())?;
        Mapping::of_file(fd.as_fd(), len, Access::ReadExecute, Sharing::Private).map(Self)
    }

    /// Runs the code on an argument block.
    ///
    /// # Safety
    /// The code was made by `lower`, and every element that it can reach through the block is in
    /// device memory.
    pub(crate) unsafe fn run(&self, block: &[u64]) -> u64 {
        // SAFETY: the mapping starts with a function of this signature.
        let entry = unsafe { std::mem::transmute::<*mut u8, Entry>(self.0.start()) };
        // SAFETY: the caller vouches for the block.
        unsafe { entry(block.as_ptr()) }
    }
}
