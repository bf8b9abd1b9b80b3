//! The file that both ends map: two rings and staging.
//!
//! # Safety
//! The other end may write any of this memory at any time. So nothing here forms a reference into it:
//! counters are atomics reached through raw pointers, everything else is copied by raw copies, and
//! every number read from it is copied once and checked before use.
//!
//! ```text
//! offset          what
//!      0          submission: entries written (engine writes)
//!     64          submission: entries taken   (host writes)
//!    128          completion: entries written (host writes)
//!    192          completion: entries taken   (engine writes)
//!   4096          submission ring, RING entries of COMMAND_LEN bytes
//!   + RING * 1024 completion ring, RING entries of 32 bytes, rounded up to a page
//!   then          staging
//! ```
//! The "written" counters are also the futex words of their doorbells. Counters only grow (modulo
//! 2^32); an entry belongs to its writer until the counter passes it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hotsled_sys::map::{Access, Mapping, Sharing};
use hotsled_sys::page::{PAGE, PageLen};
use hotsled_sys::{futex, memfd};

use crate::LinkError;
use crate::command::COMMAND_LEN;

const RING: u32 = 64;
const SUBMISSIONS: usize = PAGE as usize;
const COMPLETION_LEN: usize = 32;
const COMPLETIONS: usize = SUBMISSIONS + RING as usize * COMMAND_LEN;
const STAGING: usize = COMPLETIONS + PAGE as usize;
const _: () = assert!(RING as usize * COMPLETION_LEN <= PAGE as usize);

/// How long a waiter looks before it sleeps; a command to a waking host costs about as much.
const SPIN: Duration = Duration::from_micros(30);
/// How long a waiter sleeps before it looks whether the link is up.
const SLICE: Duration = Duration::from_millis(5);

/// A range of staging, checked against its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagingSpan {
    /// First byte.
    pub offset: u64,
    /// Length.
    pub bytes: u64,
}

/// The mapped file.
#[derive(Debug)]
pub(crate) struct Shared {
    mapping: Mapping,
    staging: u64,
}

/// The four counters.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Submitted = 0,
    Taken = 64,
    Completed = 128,
    Collected = 192,
}

impl Shared {
    /// Makes the file, seals its length, maps it; forked children do not inherit the mapping.
    pub(crate) fn create(staging: u64) -> Result<(Self, OwnedFd), LinkError> {
        let staging = usize::try_from(staging).map_err(|_| LinkError::Unfit {
            what: "staging size",
        })?;
        let len = PageLen::holding(STAGING + staging);
        let fd = memfd::create(c"hotsled-link", len)
            .map_err(LinkError::os("creating the shared file"))?;
        memfd::seal_length(fd.as_fd()).map_err(LinkError::os("sealing the shared file"))?;
        let shared = Self::map(fd.as_fd(), len, staging as u64)?;
        Ok((shared, fd))
    }

    /// Maps a file that the other end made, if it is long enough and sealed.
    pub(crate) fn open(fd: BorrowedFd<'_>, staging: u64) -> Result<Self, LinkError> {
        let len = memfd::len(fd).map_err(LinkError::os("asking the shared file's length"))?;
        let need = staging.checked_add(STAGING as u64);
        if need.is_none_or(|need| len < need) || !memfd::length_is_sealed(fd) {
            return Err(LinkError::garbage(
                "a shared file that is short or not sealed",
            ));
        }
        Self::map(fd, PageLen::holding(len as usize), staging)
    }

    fn map(fd: BorrowedFd<'_>, len: PageLen, staging: u64) -> Result<Self, LinkError> {
        let mapping = Mapping::of_file(fd, len, Access::ReadWrite, Sharing::Shared);
        let mapping = mapping.map_err(LinkError::os("mapping the shared file"))?;
        mapping
            .keep_from_children()
            .map_err(LinkError::os("keeping the shared file from children"))?;
        Ok(Self { mapping, staging })
    }

    pub(crate) fn staging_len(&self) -> u64 {
        self.staging
    }

    fn counter(&self, which: Counter) -> &AtomicU32 {
        // SAFETY: the offset lies in the first page.
        let word = unsafe { self.mapping.start().add(which as usize) };
        // SAFETY: aligned, mapped as long as `self`, and only ever accessed atomically by us; an
        // atomic is the one kind of reference that tolerates writes by others.
        unsafe { AtomicU32::from_ptr(word.cast()) }
    }

    pub(crate) fn load(&self, which: Counter) -> u32 {
        // Acquire pairs with the Release of `advance`: entries before the counter are whole.
        self.counter(which).load(Ordering::Acquire)
    }

    pub(crate) fn advance(&self, which: Counter) {
        self.counter(which).fetch_add(1, Ordering::Release);
    }

    /// Wakes whoever waits for a counter.
    pub(crate) fn ring(&self, which: Counter) {
        let word = NonNull::from(self.counter(which)).cast();
        // SAFETY: the word is a counter in the shared mapping.
        unsafe { futex::wake_all(word) };
    }

    /// Waits while a counter is `seen`: spins briefly, then sleeps in slices between which `alive` is
    /// asked. `Ok(false)` at the deadline.
    pub(crate) fn wait(
        &self,
        which: Counter,
        seen: u32,
        deadline: Instant,
        mut alive: impl FnMut() -> Result<(), LinkError>,
    ) -> Result<bool, LinkError> {
        let spin_until = Instant::now() + SPIN;
        loop {
            if self.load(which) != seen {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            if now < spin_until {
                std::hint::spin_loop();
                continue;
            }
            alive()?;
            let word = NonNull::from(self.counter(which)).cast();
            // SAFETY: the word is a counter in the shared mapping.
            let woken = unsafe { futex::wait(word, seen, SLICE.min(deadline - now)) };
            woken.map_err(LinkError::os("waiting for the other end"))?;
        }
    }

    /// How many entries lie between two counters, or garbage if more than the ring holds.
    pub(crate) fn between(&self, written: Counter, taken: u32) -> Result<u32, LinkError> {
        match self.load(written).wrapping_sub(taken) {
            n if n <= RING => Ok(n),
            n => Err(LinkError::garbage(format!(
                "a ring counter {n} entries ahead"
            ))),
        }
    }

    /// Whether a ring with `pending` entries is full.
    pub(crate) fn is_full(pending: u32) -> bool {
        pending >= RING
    }

    pub(crate) fn write_command(&self, at: u32, words: &[u64]) {
        let offset = SUBMISSIONS + (at % RING) as usize * COMMAND_LEN;
        assert!(words.len() * 8 <= COMMAND_LEN);
        // SAFETY: `offset..offset + COMMAND_LEN` lies in the submission ring.
        let slot = unsafe { self.mapping.start().add(offset) };
        // SAFETY: the length was just checked, and `words` is private memory.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), slot.cast(), words.len()) };
    }

    pub(crate) fn read_command(&self, at: u32) -> [u64; COMMAND_LEN / 8] {
        let mut words = [0; COMMAND_LEN / 8];
        let offset = SUBMISSIONS + (at % RING) as usize * COMMAND_LEN;
        // SAFETY: `offset..offset + COMMAND_LEN` lies in the submission ring.
        let slot = unsafe { self.mapping.start().add(offset) };
        // SAFETY: a raw copy of one slot; whatever the other end makes of it meanwhile, the copy is
        // private and is checked afterwards.
        unsafe { std::ptr::copy_nonoverlapping(slot.cast(), words.as_mut_ptr(), words.len()) };
        words
    }

    pub(crate) fn write_completion(&self, at: u32, words: [u64; 3]) {
        let offset = COMPLETIONS + (at % RING) as usize * COMPLETION_LEN;
        // SAFETY: `offset` names a slot of the completion ring.
        let slot = unsafe { self.mapping.start().add(offset) };
        // SAFETY: three words fit a slot of 32 bytes.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), slot.cast(), 3) };
    }

    pub(crate) fn read_completion(&self, at: u32) -> [u64; 3] {
        let mut words = [0; 3];
        let offset = COMPLETIONS + (at % RING) as usize * COMPLETION_LEN;
        // SAFETY: `offset` names a slot of the completion ring.
        let slot = unsafe { self.mapping.start().add(offset) };
        // SAFETY: a raw copy of three words of one slot into private memory.
        unsafe { std::ptr::copy_nonoverlapping(slot.cast(), words.as_mut_ptr(), 3) };
        words
    }

    /// Checks a range of staging that the other end named.
    pub(crate) fn span(&self, offset: u64, bytes: u64) -> Result<StagingSpan, LinkError> {
        let fits = offset
            .checked_add(bytes)
            .is_some_and(|end| end <= self.staging);
        if fits {
            Ok(StagingSpan { offset, bytes })
        } else {
            Err(LinkError::garbage("a range outside staging"))
        }
    }

    /// First byte of a range; valid for its length as long as `self`.
    pub(crate) fn staging(&self, span: StagingSpan) -> *mut u8 {
        debug_assert!(span.offset + span.bytes <= self.staging);
        // SAFETY: spans are made by `span` and lie in staging.
        unsafe { self.mapping.start().add(STAGING + span.offset as usize) }
    }
}
