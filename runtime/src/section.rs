//! Every section that this process has ever had, by number.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_ir::{Access, Valid};

use crate::cell::SectionCell;

/// One section as the engine knows it. It outlives its object, and holds nothing of it but code
/// addresses, which only a running call of the section uses.
pub(crate) struct Section {
    pub site: SiteId,
    pub sled: SiteAddr,
    pub cell: &'static SectionCell,
    pub path: String,
    /// Virtual-ISA bytes, for devices to lower.
    pub bytes: Vec<u8>,
    pub module: Valid,
    pub access: Vec<Access>,
    /// Build id of its object and the sled's offset in it.
    pub key: (String, u64),
    live: AtomicBool,
    /// The patcher's number plus one; zero while the sled is not adopted.
    adopted: AtomicU32,
    /// Where the sled jumps; never changes once it is there.
    target: OnceLock<TargetAddr>,
}

/// What a section is made of.
pub(crate) struct New {
    pub sled: SiteAddr,
    pub cell: &'static SectionCell,
    pub path: String,
    pub bytes: Vec<u8>,
    pub module: Valid,
    pub key: (String, u64),
}

/// Appended to, never shortened; dispatch reads it without a lock.
static SECTIONS: boxcar::Vec<Section> = boxcar::Vec::new();

/// Numbers a section. Callers take turns, so that the sections of one object have numbers in a row.
pub(crate) fn add(new: New) -> &'static Section {
    let access = hotsled_ir::access(&new.module);
    let at = SECTIONS.push_with(|at| Section {
        site: SiteId(at as u32),
        sled: new.sled,
        cell: new.cell,
        path: new.path,
        bytes: new.bytes,
        module: new.module,
        access,
        key: new.key,
        live: AtomicBool::new(true),
        adopted: AtomicU32::new(0),
        target: OnceLock::new(),
    });
    &SECTIONS[at]
}

/// A section by its number.
pub(crate) fn by_site(site: SiteId) -> Option<&'static Section> {
    SECTIONS.get(site.0 as usize)
}

/// Every section ever known.
pub(crate) fn all() -> impl Iterator<Item = &'static Section> {
    SECTIONS.iter().map(|(_, section)| section)
}

/// The sections whose objects are loaded.
pub(crate) fn live() -> impl Iterator<Item = &'static Section> {
    all().filter(|s| s.is_live())
}

impl Section {
    /// Whether its object is loaded.
    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    pub(crate) fn set_live(&self, live: bool) {
        self.live.store(live, Ordering::Release);
    }

    /// The patcher's number of its sled, if the patcher has it.
    pub(crate) fn adopted(&self) -> Option<SiteId> {
        let number = self.adopted.load(Ordering::Acquire);
        number.checked_sub(1).map(SiteId)
    }

    pub(crate) fn set_adopted(&self, number: Option<SiteId>) {
        let number = number.map_or(0, |n| n.0 + 1);
        self.adopted.store(number, Ordering::Release);
    }

    /// Its trampoline, once it has one.
    pub(crate) fn target(&self) -> Option<TargetAddr> {
        self.target.get().copied()
    }

    /// Gives it its trampoline, for good.
    pub(crate) fn set_target(&self, target: TargetAddr) {
        self.target.get_or_init(|| target);
    }
}
