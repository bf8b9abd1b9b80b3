//! Which devices dispatch may use: one page of data words that the trampolines' code never changes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use hotsled_abi::{Generation, SiteId};
use hotsled_sys::map::Mapping;
use hotsled_sys::page::PageLen;

use crate::epoch;
use crate::lane::Counter;

/// Devices that may be bound at once.
pub(crate) const MAX_DEVICES: usize = 16;

/// One bound device. Zero generation: none.
#[repr(C)]
struct Slot {
    generation: AtomicU64,
    /// Valid while the generation is current, and until its drain after that.
    counter: AtomicPtr<Counter>,
}

/// The page. In a forked child the kernel gives it zeroed (MADV_WIPEONFORK), so that a child has no
/// device whatever its text says.
struct Page {
    slots: [Slot; MAX_DEVICES],
}

static PAGE: OnceLock<&'static Page> = OnceLock::new();

fn page() -> std::io::Result<&'static Page> {
    if let Some(page) = PAGE.get() {
        return Ok(page);
    }
    let mapping = Mapping::anonymous(PageLen::holding(size_of::<Page>()))?;
    mapping.wipe_on_fork()?;
    let start = mapping.leak().cast::<Page>();
    // SAFETY: fresh zeroed memory, which is a valid page of atomics, leaked for good.
    let page = unsafe { &*start };
    Ok(PAGE.get_or_init(|| page))
}

/// No room for another device.
#[derive(Debug)]
pub(crate) struct Full;

/// Prepares the page, so that binding cannot fail for want of memory.
pub(crate) fn prepare() -> std::io::Result<()> {
    page().map(drop)
}

/// Lets dispatch use a device from now on. The counter stays valid until `retire` and a drain.
pub(crate) fn bind(generation: Generation, counter: &Counter) -> Result<(), Full> {
    let page = PAGE.get().ok_or(Full)?;
    let free = page
        .slots
        .iter()
        .find(|slot| slot.generation.load(Ordering::Relaxed) == 0)
        .ok_or(Full)?;
    free.counter
        .store(std::ptr::from_ref(counter).cast_mut(), Ordering::Relaxed);
    // Release pairs with the Acquire in `offer`: the counter is seen with its generation.
    free.generation.store(generation.0, Ordering::Release);
    Ok(())
}

/// Makes a generation not current; true if it was.
pub(crate) fn retire(generation: Generation) -> bool {
    let Some(page) = PAGE.get() else { return false };
    let step = |slot: &Slot| {
        let (from, to) = (generation.0, Generation::NONE.0);
        slot.generation
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    };
    page.slots.iter().any(step)
}

/// Whether any device is bound.
pub(crate) fn any_bound() -> bool {
    let bound = |slot: &Slot| slot.generation.load(Ordering::Relaxed) != 0;
    PAGE.get().is_some_and(|page| page.slots.iter().any(bound))
}

/// Shows each bound device's counter to `take`, inside its generation, until one takes the offer of `site`.
pub(crate) fn offer(site: SiteId, mut take: impl FnMut(&Counter) -> bool) -> bool {
    let Some(page) = PAGE.get() else { return false };
    page.slots.iter().any(|slot| {
        let generation = Generation(slot.generation.load(Ordering::Acquire));
        if generation == Generation::NONE {
            return false;
        }
        let counter = slot.counter.load(Ordering::Relaxed);
        let current = || Generation(slot.generation.load(Ordering::Acquire));
        let Some(_inside) = epoch::enter(generation, site, current) else {
            return false;
        };
        // SAFETY: we are inside the generation, whose counter is valid until after its drain.
        take(unsafe { &*counter })
    })
}
