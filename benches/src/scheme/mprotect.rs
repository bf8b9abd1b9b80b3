//! The usual way of detour libraries: make the page writable and executable, write, take it back.

use std::sync::atomic::Ordering;

use super::{Scheme, sleds::Sleds};
use crate::row::Parts;

/// One toggle a site, without any core sync or check.
pub struct PerSite(Sleds);

impl PerSite {
    pub fn new(sites: usize) -> Result<Self, String> {
        Sleds::new(sites).map(Self)
    }
}

impl Scheme for PerSite {
    fn call(&self, site: usize) {
        self.0.call(site);
    }

    fn switch(&self, on: bool) -> Option<Parts> {
        for site in self.0.sites() {
            let at = self.0.sled(site).get() as *mut u8;
            protect(at, 8, libc::PROT_WRITE);
            // SAFETY: writable as of now.
            let cell = unsafe { self.0.cell(site) };
            cell.store(self.0.word(site, on), Ordering::Release);
            protect(at, 8, 0);
        }
        None
    }
}

/// Makes pages of sleds readable and executable, and what `more` says.
///
/// # Panics
/// Where the kernel refuses, as it does under PR_SET_MDWE.
pub fn protect(at: *mut u8, len: usize, more: libc::c_int) {
    const PAGE: usize = 4096;
    let before = at as usize % PAGE;
    let rights = libc::PROT_READ | libc::PROT_EXEC | more;
    // SAFETY: the pages belong to a mapping of sleds, which stays executable.
    let result = unsafe { libc::mprotect(at.wrapping_sub(before).cast(), len + before, rights) };
    let error = std::io::Error::last_os_error();
    assert_eq!(result, 0, "mprotect: {error}");
}
