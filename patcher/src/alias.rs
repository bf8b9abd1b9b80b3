//! The second write path: text pages whose memory has another mapping, which a session makes writable.
//!
//! `README.md` beside this crate tells what the pages gain and lose by it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use hotsled_abi::{SLED_LEN, SiteAddr};
use hotsled_sys::map::{self, Access, Mapping, Sharing};
use hotsled_sys::maps::{self, Region};
use hotsled_sys::memfd;
use hotsled_sys::page::{self, PAGE, PageLen};

use crate::error::AliasError;
use crate::plan::Home;
use crate::sites::{self, Sites, Word};

/// Runs of pages with sleds that have less than this between them become one alias: a mapping costs the
/// kernel more than a page, and a process may not have very many.
const NEAR: u64 = 16 * PAGE;

/// One run of text pages that has been replaced by shared memory. Never freed: a fork may need it.
#[derive(Debug)]
struct Alias {
    /// First address of the text.
    text: u64,
    len: PageLen,
    /// The same memory; writable in a session, readable outside, not there in children.
    view: Mapping,
    /// The file's own pages, kept elsewhere for children; null once it was put back.
    pristine: AtomicPtr<u8>,
    before: Option<&'static Alias>,
}

impl Alias {
    /// First address behind the text.
    fn end(&self) -> u64 {
        self.text + self.len.bytes() as u64
    }

    /// Forks leave its text alone from now on. View and pages stay mapped, a leak of addresses and of the
    /// memory of an object that was unloaded.
    fn give_up(&self) {
        self.pristine.store(std::ptr::null_mut(), Ordering::Release);
    }
}

/// The latest alias, for the hook in a child.
static LATEST: AtomicPtr<Alias> = AtomicPtr::new(std::ptr::null_mut());

/// The aliases of this process, in ascending order. Their numbers hold until the next is made.
#[derive(Debug, Default)]
pub(crate) struct Aliases(Vec<&'static Alias>);

impl Aliases {
    /// How the site at `address` is reached.
    pub(crate) fn home(&self, address: SiteAddr) -> Home {
        self.home_and_end(address).0
    }

    /// How the site at `address` is reached, and the address from which on that may be otherwise.
    pub(crate) fn home_and_end(&self, address: SiteAddr) -> (Home, u64) {
        let above = self.0.partition_point(|a| a.text <= address.get());
        if let Some(number) = above.checked_sub(1)
            && address.get() < self.0[number].end()
        {
            return (Home::Alias(number), self.0[number].end());
        }
        let next = self.0.get(above).map_or(u64::MAX, |a| a.text);
        (Home::Private, next)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes an alias of every page that holds one of `sleds` and has none yet. Pages done before a failure
    /// stay done: either path serves them.
    ///
    /// # Errors
    /// [`AliasError`] names address and reason.
    ///
    /// # Safety
    /// The sleds are text of this process, and no session is under way.
    pub(crate) unsafe fn cover(
        &mut self,
        sleds: impl Iterator<Item = SiteAddr>,
    ) -> Result<(), AliasError> {
        let uncovered = sleds.filter(|&s| self.home(s) == Home::Private);
        let uncovered: Vec<u64> = uncovered.map(SiteAddr::get).collect();
        if uncovered.is_empty() {
            return Ok(());
        }
        let regions = maps::read().map_err(AliasError::Maps)?;
        let end_of_region = |address| {
            let after = regions.partition_point(|r| r.end <= address);
            regions.get(after).map_or(address, |r| r.end)
        };
        for (start, len) in runs(uncovered, end_of_region) {
            // SAFETY: the caller's promise.
            let alias = unsafe { replace(start, len, &regions) }?;
            let place = self.0.partition_point(|a| a.text < alias.text);
            self.0.insert(place, alias);
        }
        Ok(())
    }

    /// Gives up the aliases without a living site: their object goes, and the pages of a child are no longer
    /// ours to give back.
    pub(crate) fn retain_those_with(&mut self, sites: &Sites) {
        let mut used = vec![false; self.0.len()];
        for site in sites.living() {
            if let Home::Alias(number) = self.home(site.sled) {
                used[number] = true;
            }
        }
        let mut used = used.into_iter();
        self.0.retain(|alias| {
            let keep = used.next().unwrap_or(true);
            if !keep {
                alias.give_up();
            }
            keep
        });
    }

    /// Makes alias number `number` writable until the result is dropped.
    ///
    /// # Errors
    /// What mprotect(2) reports.
    pub(crate) fn open(&self, number: usize) -> io::Result<Writable> {
        let alias = self.0[number];
        alias.view.allow(Access::ReadWrite)?;
        Ok(Writable(alias))
    }
}

/// A view that can be written, until dropped.
#[derive(Debug)]
pub(crate) struct Writable(&'static Alias);

impl Writable {
    /// Where a byte of the text lies in the view.
    pub(crate) fn at(&self, address: u64) -> u64 {
        let offset = address - self.0.text;
        assert!(offset < self.0.len.bytes() as u64, "text of this alias");
        self.0.view.start() as u64 + offset
    }

    /// Puts `new` where `old` is, in one atomic step; what was there.
    pub(crate) fn exchange(&self, address: u64, old: Word, new: Word) -> Word {
        let at = self.at(address) as *mut u64;
        // SAFETY: within the view, aligned as sleds are, never unmapped, and written only like this.
        let cell = unsafe { AtomicU64::from_ptr(at) };
        let [old, new] = [old, new].map(u64::from_le_bytes);
        let (done, not) = (Ordering::SeqCst, Ordering::SeqCst);
        match cell.compare_exchange(old, new, done, not) {
            Ok(was) | Err(was) => was.to_le_bytes(),
        }
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        // The view is one mapping of its own, and taking rights away needs no memory: it cannot fail.
        let _ = self.0.view.allow(Access::Read);
    }
}

/// Page runs that hold every address, each within one mapping, as start and length.
fn runs(mut addresses: Vec<u64>, end_of_region: impl Fn(u64) -> u64) -> Vec<(u64, PageLen)> {
    addresses.sort_unstable();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let mut region_end = 0;
    for address in addresses {
        let first = page::floor(address);
        match runs.last_mut() {
            Some((_, end)) if first < *end + NEAR && address < region_end => *end = first + PAGE,
            _ => {
                region_end = end_of_region(address);
                runs.push((first, first + PAGE));
            }
        }
    }
    let len = |(start, end): (u64, u64)| (start, PageLen::holding((end - start) as usize));
    runs.into_iter().map(len).collect()
}

/// Replaces text pages by an alias of the same contents while threads run through them.
///
/// 1. Map the file's own pages once more: they are what the child of a fork gets, and what the text is
///    compared with.
/// 2. Compare the text with the file. Only known sleds may differ, and only by being switched: a
///    breakpoint or a relocation is somebody's, and would be lost.
/// 3. Copy the text to new memory; map that twice, to be written (not in children) and to be run.
/// 4. Compare again, and put the runnable mapping over the text. The kernel does that under the lock
///    that page faults take, so a thread finds the old page or the new one, and both hold the same bytes.
///
/// # Safety
/// As for [`Aliases::cover`].
unsafe fn replace(
    start: u64,
    len: PageLen,
    regions: &[Region],
) -> Result<&'static Alias, AliasError> {
    let failed = |source| AliasError::Map {
        address: start,
        source,
    };
    let pristine = file_pages(start, len, regions)?; // step 1
    // SAFETY: the pages were mapped readable a moment ago; text of this process stays.
    let text = unsafe { std::slice::from_raw_parts(start as *const u64, len.bytes() / SLED_LEN) };
    // SAFETY: mapped readable from a file that is not written.
    let file = unsafe {
        std::slice::from_raw_parts(pristine.start().cast::<u64>(), len.bytes() / SLED_LEN)
    };
    same_but_for_sleds(start, text, file)?; // step 2
    let memory = memfd::create(c"hotsled-text", len).map_err(failed)?;
    let shared = |access| Mapping::of_file(memory.as_fd(), len, access, Sharing::Shared);
    let view = shared(Access::ReadWrite).map_err(failed)?;
    view.keep_from_children().map_err(failed)?;
    // SAFETY: both are `len` bytes long, and nobody else knows the view.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), view.start(), len.bytes()) };
    view.allow(Access::Read).map_err(failed)?;
    memfd::seal_length(memory.as_fd()).map_err(failed)?;
    let run = shared(Access::ReadExecute).map_err(failed)?; // step 3
    same_but_for_sleds(start, text, file)?;
    // SAFETY: the new pages hold the same bytes; no session writes to either.
    unsafe { run.put_over(start) }.map_err(failed)?; // step 4
    Ok(publish(start, len, view, pristine))
}

fn publish(text: u64, len: PageLen, view: Mapping, pristine: Mapping) -> &'static Alias {
    // SAFETY: published aliases are valid and never freed.
    let before = unsafe { LATEST.load(Ordering::Acquire).as_ref() };
    let alias: &'static Alias = Box::leak(Box::new(Alias {
        text,
        len,
        view,
        pristine: AtomicPtr::new(pristine.leak()),
        before,
    }));
    LATEST.store(std::ptr::from_ref(alias).cast_mut(), Ordering::Release);
    alias
}

/// The pages of the file that lie at `start`, mapped anew.
fn file_pages(start: u64, len: PageLen, regions: &[Region]) -> Result<Mapping, AliasError> {
    let end = start + len.bytes() as u64;
    let region = regions
        .iter()
        .find(|r| r.start <= start && end <= r.end && r.execute && !r.write && !r.shared)
        .filter(|r| r.name.starts_with('/'))
        .ok_or(AliasError::NotFile { address: start })?;
    let open = |source| AliasError::Open {
        path: region.name.clone(),
        source,
    };
    let file = File::open(&region.name).map_err(open)?;
    let offset = region.offset + (start - region.start);
    Mapping::of_file_from(file.as_fd(), offset, len, Access::ReadExecute).map_err(|source| {
        AliasError::Map {
            address: start,
            source,
        }
    })
}

/// Whether text and file agree, but for sleds that are as they were switched.
fn same_but_for_sleds(start: u64, text: &[u64], file: &[u64]) -> Result<(), AliasError> {
    for (at, (text, file)) in text.iter().zip(file).enumerate() {
        // SAFETY: a reference to readable memory; volatile, since the text may change under us.
        let text = unsafe { std::ptr::read_volatile(text) };
        let address = start + (at * SLED_LEN) as u64;
        if text != *file && !is_switched(address, text) {
            return Err(AliasError::Differs { address });
        }
    }
    Ok(())
}

fn is_switched(address: u64, word: u64) -> bool {
    sites::find(address).is_some_and(|(site, want)| site.word(want) == word.to_le_bytes())
}

/// In a child that fork(3) has made: text becomes the file's own again, private and idle.
///
/// Where the kernel refuses, the pages stay shared: the child then sees what its parent patches, and every
/// way through a sled still ends in CPU code. Async-signal-safe.
///
/// # Safety
/// No other thread runs in this process.
pub(crate) unsafe fn give_back_text() {
    // SAFETY: published aliases are valid and never freed.
    let latest = unsafe { LATEST.load(Ordering::Acquire).as_ref() };
    for alias in std::iter::successors(latest, |a| a.before) {
        let pristine = alias.pristine.swap(std::ptr::null_mut(), Ordering::AcqRel);
        if let Some(pristine) = NonNull::new(pristine) {
            // SAFETY: the pristine pages are only for this; the text they replace differs by sleds
            // alone, each one instruction, and the one thread is not at any.
            let _ = unsafe { map::move_over(pristine, alias.len, alias.text) };
        }
    }
}

/// Runs code from memory that is written through another mapping, as an alias would be.
///
/// # Errors
/// What the kernel refuses, or that the code which ran was not what was written.
pub(crate) fn self_test(sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
    /// `mov eax, imm8; ret`, filled up with breakpoints.
    const fn answer(n: u8) -> u64 {
        u64::from_le_bytes([0xb8, n, 0, 0, 0, 0xc3, 0xcc, 0xcc])
    }
    let len = PageLen::holding(SLED_LEN);
    let memory = memfd::create(c"hotsled-test", len)?;
    let shared = |access| Mapping::of_file(memory.as_fd(), len, access, Sharing::Shared);
    let (view, run) = (shared(Access::ReadWrite)?, shared(Access::ReadExecute)?);
    // SAFETY: the view is a page long, aligned, and reached only through this atomic.
    let cell = unsafe { AtomicU64::from_ptr(view.start().cast()) };
    // SAFETY: the runnable page holds, whenever it is called, a function of this type.
    let call = unsafe { std::mem::transmute::<*mut u8, extern "C" fn() -> u32>(run.start()) };
    for n in [1, 2] {
        cell.store(answer(n), Ordering::SeqCst);
        sync()?;
        if call() != u32::from(n) {
            return Err(io::Error::other(
                "code written through an alias did not run",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_pages_share_a_run_and_far_ones_do_not() {
        let far = 0x10000 + NEAR + 2 * PAGE;
        let len = |n: u64| PageLen::holding((n * PAGE) as usize);
        let found = runs(vec![0x10008, 0x11ff8, far, 0x10010], |_| u64::MAX);
        assert_eq!(found, [(0x10000, len(2)), (far, len(1))]);
        let found = runs(vec![0x10008, 0x11ff8], |a| page::floor(a) + PAGE);
        assert_eq!(found, [(0x10000, len(1)), (0x11000, len(1))]);
    }

    #[test]
    fn memory_is_written_through_one_mapping_and_run_through_another() {
        self_test(|| Ok(())).unwrap();
    }
}
