//! Where a patched sled leads.

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
        None => Err(CpuReason::BelowMeasuredSize),
    };
    let Err(reason) = taken else { return };
    section.cell.stats().set_reason(reason);
    // SAFETY: the body takes what its entry was called with.
    unsafe { (section.cell.body())(args, start, end) }
}

fn offer(
    section: &Section,
    call: std::sync::Arc<Call>,
    start: u64,
    end: u64,
) -> Result<(), CpuReason> {
    if !is_enabled() {
        return Err(CpuReason::Disabled);
    }
    if section.cell.is_pinned() {
        return Err(CpuReason::Pinned);
    }
    let left = call.cursor().left() + (end - start);
    let worth = section.cell.device_from().ok_or(CpuReason::Refused)?;
    if left < worth {
        return Err(CpuReason::BelowMeasuredSize);
    }
    if !call.is_offered() {
        return Err(CpuReason::NotRepaid);
    }
    let site = section.site;
    let taken = plan::offer(site, |counter| counter.try_hand_in(site, &call, start..end));
    if taken {
        Ok(())
    } else {
        Err(CpuReason::DevicesBusy)
    }
}
