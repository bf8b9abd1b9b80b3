//! Dense sleds in text of a file, as a linker would lay them out.

use std::io::{self, Write};
use std::sync::atomic::AtomicU64;

use hotsled_abi::{ENTRY_STRIDE, NOP8, SiteAddr, TargetAddr, jmp_word, nop_word};
use memmap2::{Mmap, MmapOptions};
use tempfile::NamedTempFile;

const RET: u8 = 0xc3;

/// Entries `nop8; ret`, then one `ret` that all jump to.
pub struct Sleds {
    map: Mmap,
    sites: usize,
    /// Keeps the name: who makes an alias opens the file by it.
    _file: NamedTempFile,
}

impl Sleds {
    pub fn new(sites: usize) -> Result<Self, String> {
        Self::map(sites).map_err(|e| format!("cannot map sleds: {e}"))
    }

    fn map(sites: usize) -> io::Result<Self> {
        let mut entry = [0xcc; ENTRY_STRIDE];
        entry[..8].copy_from_slice(&NOP8);
        entry[8] = RET;
        let mut file = NamedTempFile::new()?;
        file.write_all(&entry.repeat(sites))?;
        file.write_all(&[RET; ENTRY_STRIDE])?;
        // SAFETY: nobody else knows the file.
        let map = unsafe { MmapOptions::new().map_copy(file.as_file()) }?;
        Ok(Self {
            map: map.make_exec()?,
            sites,
            _file: file,
        })
    }

    pub fn sled(&self, site: usize) -> SiteAddr {
        SiteAddr::new(self.map.as_ptr() as u64 + (site * ENTRY_STRIDE) as u64)
    }

    pub fn target(&self) -> TargetAddr {
        TargetAddr::new(self.sled(self.sites).get())
    }

    pub fn sites(&self) -> std::ops::Range<usize> {
        0..self.sites
    }

    /// First byte and length of the mapping.
    pub fn extent(&self) -> (*mut u8, usize) {
        (self.map.as_ptr().cast_mut(), self.map.len())
    }

    pub fn call(&self, site: usize) {
        assert!(site < self.sites);
        let at = self.sled(site).get();
        // SAFETY: an entry of the mapping is a function of this type in either state.
        let entry = unsafe { std::mem::transmute::<u64, extern "C" fn()>(at) };
        entry();
    }

    /// What the site holds when it is on or off.
    pub fn word(&self, site: usize, on: bool) -> u64 {
        if on {
            jmp_word(self.sled(site), self.target()).expect("a target in the same mapping")
        } else {
            nop_word()
        }
    }

    /// The site's word.
    ///
    /// # Safety
    /// The page is writable for as long as the result is stored to.
    pub unsafe fn cell(&self, site: usize) -> &AtomicU64 {
        let at = self.sled(site).get() as *mut u64;
        // SAFETY: aligned, mapped as long as `self`, and only ever changed through such cells.
        unsafe { AtomicU64::from_ptr(at) }
    }
}
