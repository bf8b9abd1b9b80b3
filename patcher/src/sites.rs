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
    /// Its place in [`Segment::wants`].
    nth: u32,
    /// Bytes of its nop.
    nop_len: u8,
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
            nth: 0,
            nop_len: idle.len,
        })
    }

    /// How far back pretended sites jump.
    #[cfg(test)]
    pub(crate) const PRETENDED_WAY: u64 = 0x777;

    /// A site for tests, which nobody looks at.
    #[cfg(test)]
    pub(crate) fn pretended(address: u64) -> Self {
        let sled = SiteAddr::new(address);
        let target = TargetAddr::new(address.wrapping_sub(Self::PRETENDED_WAY));
        Self {
            sled,
            words: [NOP8, jumping(sled, target, NOP8).unwrap()],
            nth: 0,
            nop_len: SLED_LEN as u8,
        }
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

/// The sites of one adoption, and the adoption before.
#[derive(Debug)]
struct Segment {
    /// By ascending address.
    sites: Box<[Site]>,
    /// The number of the first.
    first: u32,
    /// What each shall do, by its number: a [`Want`] or [`FORGOTTEN`]. Between sessions this is what memory
    /// holds; in a session it is what memory will hold, and a thread at a breakpoint goes where it says.
    /// Apart from the sites, since a session tells the handler of every one.
    wants: Box<[AtomicU8]>,
    before: Option<&'static Segment>,
}

impl Segment {
    /// The living site at exactly `address`, and what it shall do.
    fn at(&self, address: u64) -> Option<(&Site, Want)> {
        let at = self.sites.binary_search_by_key(&address, |s| s.sled.get());
        let site = &self.sites[at.ok()?];
        Some((site, self.want(site.nth)?))
    }

    /// What a site shall do, or `None` when it is forgotten. Acquire pairs with the Release in
    /// [`Sites::store`].
    fn want(&self, nth: u32) -> Option<Want> {
        match self.wants[nth as usize].load(Ordering::Acquire) {
            FORGOTTEN => None,
            1 => Some(Want::Jump),
            _ => Some(Want::Idle),
        }
    }

    /// Whether a number is one of its sites'.
    fn has(&self, id: SiteId) -> bool {
        id.0.wrapping_sub(self.first) < self.wants.len() as u32
    }
}

/// The latest adoption. Segments are published whole and never freed.
static LATEST: AtomicPtr<Segment> = AtomicPtr::new(std::ptr::null_mut());

fn segments() -> impl Iterator<Item = &'static Segment> {
    // SAFETY: published segments are valid and never freed; Acquire pairs with the Release in `adopt`.
    let latest = unsafe { LATEST.load(Ordering::Acquire).as_ref() };
    std::iter::successors(latest, |s| s.before)
}

/// The living site at exactly `address`, and what it shall do. Async-signal-safe.
pub(crate) fn find(address: u64) -> Option<(&'static Site, Want)> {
    segments().find_map(|segment| segment.at(address))
}

/// The sites by number.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    by_number: Vec<&'static Site>,
    /// By ascending numbers; never empty ones.
    segments: Vec<&'static Segment>,
}

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
    pub(crate) fn adopt(&mut self, new: Vec<Site>) -> Vec<SiteId> {
        if new.is_empty() {
            return Vec::new();
        }
        let segment = Box::leak(Box::new(self.segment(new)));
        // Release: a handler that finds the segment finds it whole.
        LATEST.store(std::ptr::from_mut(segment), Ordering::Release);
        self.add(segment)
    }

    /// The next segment, of sites in the order of their numbers.
    fn segment(&self, new: Vec<Site>) -> Segment {
        let idle = || AtomicU8::new(Want::Idle as u8);
        let wants = new.iter().map(|_| idle()).collect();
        let numbered = (0..).zip(new).map(|(nth, site)| Site { nth, ..site });
        let mut sites: Box<[Site]> = numbered.collect();
        sites.sort_by_key(|s| s.sled);
        Segment {
            sites,
            first: self.by_number.len() as u32,
            wants,
            before: segments().next(),
        }
    }

    fn add(&mut self, segment: &'static Segment) -> Vec<SiteId> {
        let mut sites: Vec<&Site> = segment.sites.iter().collect();
        sites.sort_by_key(|s| s.nth);
        self.by_number.extend(sites);
        self.segments.push(segment);
        (segment.first..self.by_number.len() as u32)
            .map(SiteId)
            .collect()
    }

    /// Sites for tests, idle ones at these addresses, which no handler knows.
    #[cfg(test)]
    pub(crate) fn pretended(addresses: impl IntoIterator<Item = u64>) -> Self {
        let mut sites = Self::default();
        let new = addresses.into_iter().map(Site::pretended).collect();
        let segment = Box::leak(Box::new(sites.segment(new)));
        sites.add(segment);
        sites
    }

    /// The segment of a number.
    fn segment_of(&self, id: SiteId) -> Option<&'static Segment> {
        let above = self.segments.partition_point(|s| s.first <= id.0);
        let segment = *self.segments.get(above.checked_sub(1)?)?;
        segment.has(id).then_some(segment)
    }

    /// The site of a number, and what it does; `None` for one that nobody adopted, or whose object is unloaded.
    pub(crate) fn find(&self, id: SiteId) -> Option<(&'static Site, Want)> {
        let segment = self.segment_of(id)?;
        let want = segment.want(id.0 - segment.first)?;
        Some((self.adopted(id), want))
    }

    /// What sites do, asked for in any order; `None` as by [`Self::find`]. Fastest for neighbours.
    pub(crate) fn wants(&self) -> impl FnMut(SiteId) -> Option<Want> {
        let mut near = self.segments.first().copied();
        move |id| {
            if !near?.has(id) {
                near = Some(self.segment_of(id)?);
            }
            near?.want(id.0 - near?.first)
        }
    }

    /// The site of a number that [`Self::find`] has found.
    ///
    /// # Panics
    /// When nobody adopted it.
    pub(crate) fn adopted(&self, id: SiteId) -> &'static Site {
        self.by_number[id.0 as usize]
    }

    /// Why a number is not found.
    #[cold]
    pub(crate) fn missing(&self, id: SiteId) -> PatchError {
        match self.by_number.get(id.0 as usize) {
            None => PatchError::Unknown(id),
            Some(site) => PatchError::Forgotten {
                site: id,
                sled: site.sled,
            },
        }
    }

    /// Tells the handler what sites shall do.
    ///
    /// # Panics
    /// When nobody adopted one.
    pub(crate) fn publish(&self, wants: impl Iterator<Item = (SiteId, Want)>) {
        self.store(wants.map(|(id, want)| (id, want as u8)));
    }

    /// Takes sites out for good; numbers that nobody adopted are passed over.
    pub(crate) fn forget(&self, ids: &[SiteId]) {
        let known = ids.iter().filter(|id| self.segment_of(**id).is_some());
        self.store(known.map(|&id| (id, FORGOTTEN)));
    }

    fn store(&self, wants: impl Iterator<Item = (SiteId, u8)>) {
        let (mut first, mut near): (u32, &[AtomicU8]) = (0, &[]);
        for (id, want) in wants {
            if id.0.wrapping_sub(first) as usize >= near.len() {
                let segment = self.segment_of(id).expect("an adopted site");
                (first, near) = (segment.first, &segment.wants);
            }
            // Release pairs with the Acquire in `Segment::want`.
            near[(id.0 - first) as usize].store(want, Ordering::Release);
        }
    }

    /// Every site that is not forgotten.
    pub(crate) fn living(&self) -> impl Iterator<Item = &'static Site> {
        let of = |s: &&'static Segment| {
            let segment = *s;
            let lives = move |site: &&'static Site| segment.want(site.nth).is_some();
            segment.sites.iter().filter(lives)
        };
        self.segments.iter().flat_map(of)
    }
}
