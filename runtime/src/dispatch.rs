//! Where a patched sled leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hotsled_abi::{ArgBlock, SiteId, TargetAddr};

use crate::call::Call;
use crate::plan;
use crate::section::{self, Section};
use crate::stats::CpuReason;

/// Off: every grain runs its CPU body, patched or not.
static ENABLED: AtomicBool = AtomicBool::new(true);

pub(crate) fn set_enabled(on: bool) {
    ENABLED.store(on, Ordering::Release);
}

pub(crate) fn is_enabled() -> bool {
    ENABLED.load(Ordering::Acquire)
}

/// Address that trampolines jump to.
pub(crate) fn address() -> TargetAddr {
    TargetAddr::new(dispatch as *const () as u64)
}

/// Offers a grain to a device; runs it here if none takes it.
///
/// Never waits: a lane takes the grain or does not. The CPU body runs outside any epoch.
///
/// # Safety
/// Called through a trampoline by the sled of site `site`, with that entry's arguments.
unsafe extern "C-unwind" fn dispatch(args: *const ArgBlock, start: u64, end: u64, site: u32) {
    let section = section::by_site(SiteId(site)).expect("only registered sites are patched");
    // SAFETY: the grain that `args` belongs to is running: it is this call.
    let call = unsafe { Call::of(args) };
    let taken = match call {
        Some(call) => offer(section, call, start, end),
        None => Err(Some(CpuReason::BelowMeasuredSize)),
    };
    let Err(reason) = taken else { return };
    if let Some(reason) = reason {
        section.cell.stats().set_reason(reason);
    }
    // SAFETY: the body takes what its entry was called with.
    unsafe { (section.cell.body())(args, start, end) }
}

/// Hands the grain to a device, or tells why not; no reason: the rest of an offered call is too short.
fn offer(
    section: &Section,
    call: Arc<Call>,
    start: u64,
    end: u64,
) -> Result<(), Option<CpuReason>> {
    let worth = worth(section, &call)?;
    let left = call.cursor().left() + (end - start);
    if left < worth {
        return Err(None);
    }
    let site = section.site;
    if plan::offer(site, |counter| counter.try_hand_in(site, &call, start..end)) {
        Ok(())
    } else {
        Err(Some(CpuReason::DevicesBusy))
    }
}

/// Elements that a call must have left to be offered, or why the whole call is not.
fn worth(section: &Section, call: &Call) -> Result<u64, CpuReason> {
    if !is_enabled() {
        return Err(CpuReason::Disabled);
    }
    if section.cell.is_pinned() {
        return Err(CpuReason::Pinned);
    }
    let worth = section.cell.device_from().ok_or(CpuReason::Refused)?;
    if call.elements() < worth {
        return Err(CpuReason::BelowMeasuredSize);
    }
    if call.is_offered() {
        Ok(worth)
    } else {
        Err(CpuReason::NotRepaid)
    }
}
