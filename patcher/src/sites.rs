//! Every sled this process ever adopted, for sessions and for the SIGTRAP handler.

use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use hotsled_abi::{JMP8_LEN, NOP8, SLED_LEN, SiteAddr, SiteId, TargetAddr, jmp_word};

use crate::PatchError;

/// What a site shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Want {
    /// Fall through to the CPU body: the 8-byte nop.
    Idle = 0,
    /// Jump to the site's target.
    Jump = 1,
}

impl Want {
    /// The same, or the other one.
    pub(crate) fn other_unless(self, same: bool) -> Self {
        match self as u8 ^ u8::from(!same) {
            0 => Self::Idle,
            _ => Self::Jump,
        }
    }
}

/// Instead of a [`Want`]: the sled's object is unloaded.
const FORGOTTEN: u8 = 2;

/// A sled to adopt, with the one target that it will ever jump to.
#[derive(Clone, Copy, Debug)]
pub struct NewSite {
    /// The sled.
    pub sled: SiteAddr,
    /// Where it jumps when patched.
    pub target: TargetAddr,
}

/// The nop that a compiler laid at a site: one instruction, the first of an aligned word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nop {
    /// The whole word as it stands, also where the nop is shorter than it.
    pub word: [u8; SLED_LEN],
    /// Bytes of the instruction; a thread that meets a breakpoint goes on behind it.
    pub len: u8,
}

impl Nop {
    /// What hotsled's own sections have.
    pub const OWN: Self = Self {
        word: NOP8,
        len: SLED_LEN as u8,
    };
}

/// An adopted sled. It is never freed: a handler may be looking at it.
#[derive(Debug)]
pub(crate) struct Site {
    pub sled: SiteAddr,
    /// Its eight bytes when it is idle, and when it jumps.
    words: [Word; 2],
    /// Bytes of its nop.
    nop_len: u8,
    /// A [`Want`] or [`FORGOTTEN`]. Between sessions this is what memory holds; in a session it is what
    /// memory will hold, and a thread at a breakpoint goes where it says.
    want: AtomicU8,
}

pub(crate) type Word = [u8; SLED_LEN];

impl Site {
    /// A site that may be adopted, or why not.
    ///
    /// # Safety
    /// The sled is readable.
    pub(crate) unsafe fn new(new: &NewSite, idle: Nop) -> Result<Self, PatchError> {
        let NewSite { sled, target } = *new;
        if !sled.get().is_multiple_of(SLED_LEN as u64) {
            return Err(PatchError::Misaligned(sled));
        }
        if usize::from(idle.len) < JMP8_LEN {
            let len = idle.len;
            return Err(PatchError::Short { site: sled, len });
        }
        let Some(jumping) = jumping(sled, target, idle.word) else {
            return Err(PatchError::Reach { site: sled, target });
        };
        // SAFETY: aligned and, says the caller, readable; volatile, since code may change under us.
        let found = unsafe { std::ptr::read_volatile(sled.get() as *const Word) };
        if found != idle.word {
            return Err(PatchError::NotIdle { site: sled, found });
        }
        Ok(Self {
            sled,
            words: [idle.word, jumping],
            nop_len: idle.len,
            want: AtomicU8::new(Want::Idle as u8),
        })
    }

    /// How far back pretended sites jump.
    #[cfg(test)]
    pub(crate) const PRETENDED_WAY: u64 = 0x777;

    /// A site for tests, which nobody looks at; leaked.
    #[cfg(test)]
    pub(crate) fn pretended(address: u64) -> &'static Self {
        let sled = SiteAddr::new(address);
        let target = TargetAddr::new(address.wrapping_sub(Self::PRETENDED_WAY));
        Box::leak(Box::new(Self {
            sled,
            words: [NOP8, jumping(sled, target, NOP8).unwrap()],
            nop_len: SLED_LEN as u8,
            want: AtomicU8::new(Want::Idle as u8),
        }))
    }

    /// What it shall do, or `None` when it is forgotten.
    pub(crate) fn want(&self) -> Option<Want> {
        match self.want.load(Ordering::Acquire) {
            FORGOTTEN => None,
            1 => Some(Want::Jump),
            _ => Some(Want::Idle),
        }
    }

    /// Tells the handler; Release pairs with the Acquire in [`Self::want`].
    pub(crate) fn publish(&self, want: Want) {
        self.want.store(want as u8, Ordering::Release);
    }

    /// Its eight bytes in a state.
    pub(crate) fn word(&self, want: Want) -> Word {
        self.words[want as usize]
    }

    /// Where it jumps, as its jump says.
    pub(crate) fn target(&self) -> TargetAddr {
        let [_, a, b, c, d, ..] = self.words[Want::Jump as usize];
        let way = i64::from(i32::from_le_bytes([a, b, c, d]));
        let next = self.sled.get() + JMP8_LEN as u64;
        TargetAddr::new(next.wrapping_add_signed(way))
    }

    /// Behind its nop.
    pub(crate) fn after(&self) -> u64 {
        self.sled.get() + u64::from(self.nop_len)
    }
}

/// The word of a site that jumps, or `None` when the jump does not reach. What lies behind it stays as it is
/// when the site is idle: it may be code.
fn jumping(sled: SiteAddr, target: TargetAddr, idle: Word) -> Option<Word> {
    let mut word = idle;
    let jump = jmp_word(sled, target)?.to_le_bytes();
    word[..JMP8_LEN].copy_from_slice(&jump[..JMP8_LEN]);
    Some(word)
}

/// The sites of one adoption, by ascending address, and the adoption before.
struct Segment {
    sites: Box<[Site]>,
    before: Option<&'static Segment>,
}

impl Segment {
    fn at(&self, address: u64) -> Option<&Site> {
        let at = self.sites.binary_search_by_key(&address, |s| s.sled.get());
        at.ok().map(|at| &self.sites[at])
    }
}

/// The latest adoption. Segments are published whole and never freed.
static LATEST: AtomicPtr<Segment> = AtomicPtr::new(std::ptr::null_mut());

fn segments() -> impl Iterator<Item = &'static Segment> {
    // SAFETY: published segments are valid and never freed; Acquire pairs with the Release in `adopt`.
    let latest = unsafe { LATEST.load(Ordering::Acquire).as_ref() };
    std::iter::successors(latest, |s| s.before)
}

/// The living site at exactly `address`. Async-signal-safe.
pub(crate) fn find(address: u64) -> Option<&'static Site> {
    segments().find_map(|segment| segment.at(address).filter(|s| s.want().is_some()))
}

/// The sites by number.
#[derive(Debug, Default)]
pub(crate) struct Sites(Vec<&'static Site>);

impl Sites {
    /// # Errors
    /// The first of `new` that is, or overlaps, another or a known one.
    pub(crate) fn check_new(&self, new: &[Site]) -> Result<(), PatchError> {
        let mut sleds: Vec<SiteAddr> = new.iter().map(|s| s.sled).collect();
        sleds.sort_unstable();
        // Sleds are aligned to their length, so that only equal addresses share a byte.
        let twice = sleds.windows(2).find(|w| w[0] == w[1]).map(|w| w[1]);
        let known = || sleds.iter().copied().find(|s| find(s.get()).is_some());
        twice
            .or_else(known)
            .map_or(Ok(()), |sled| Err(PatchError::Duplicate(sled)))
    }

    /// Makes sites known that [`Self::check_new`] has passed; their numbers, in their order.
    pub(crate) fn adopt(&mut self, mut new: Vec<Site>) -> Vec<SiteId> {
        let sleds: Vec<SiteAddr> = new.iter().map(|s| s.sled).collect();
        new.sort_by_key(|s| s.sled);
        let segment: &'static Segment = Box::leak(Box::new(Segment {
            sites: new.into(),
            before: segments().next(),
        }));
        // Release: a handler that finds the segment finds it whole.
        LATEST.store(std::ptr::from_ref(segment).cast_mut(), Ordering::Release);
        let first = self.0.len() as u32;
        let site = |sled: &SiteAddr| segment.at(sled.get()).expect("just put there");
        self.0.extend(sleds.iter().map(site));
        (first..self.0.len() as u32).map(SiteId).collect()
    }

    /// The site of a number, and what it does; `None` for one that nobody adopted, or whose object is unloaded.
    #[inline]
    pub(crate) fn find(&self, id: SiteId) -> Option<(&'static Site, Want)> {
        let &site = self.0.get(id.0 as usize)?;
        Some((site, site.want()?))
    }

    /// The site of a number that [`Self::find`] has found.
    ///
    /// # Panics
    /// When nobody adopted it.
    pub(crate) fn adopted(&self, id: SiteId) -> &'static Site {
        self.0[id.0 as usize]
    }

    /// Why a number is not found.
    #[cold]
    pub(crate) fn missing(&self, id: SiteId) -> PatchError {
        match self.0.get(id.0 as usize) {
            None => PatchError::Unknown(id),
            Some(site) => PatchError::Forgotten {
                site: id,
                sled: site.sled,
            },
        }
    }

    /// Takes sites out for good; numbers that nobody adopted are passed over.
    pub(crate) fn forget(&self, ids: &[SiteId]) {
        let known = ids.iter().filter_map(|id| self.0.get(id.0 as usize));
        known.for_each(|site| site.want.store(FORGOTTEN, Ordering::Release));
    }

    /// Every site that is not forgotten.
    pub(crate) fn living(&self) -> impl Iterator<Item = &'static Site> {
        self.0.iter().copied().filter(|s| s.want().is_some())
    }
}
