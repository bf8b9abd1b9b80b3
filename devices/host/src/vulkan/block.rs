//! From a launch to its argument block, whose layout is `args`.

use std::ops::Range;

use hotsled_ir::{Access, ParamKind, Reach};
use hotsled_link::{DevicePtr, Launch, LaunchArg};

/// The block of a launch, if the launch gives each parameter what its module can reach. `locate` gives the
/// address of so many bytes of device memory, if they are there.
pub(super) fn block(
    params: &[ParamKind],
    access: &[Access],
    launch: &Launch,
    locate: impl Fn(DevicePtr, u64) -> Option<u64>,
) -> Option<Vec<u64>> {
    if launch.args.len() != params.len() || launch.base > launch.end {
        return None;
    }
    let mut words = vec![launch.base, launch.end, 0];
    for ((arg, kind), access) in launch.args.iter().zip(params).zip(access) {
        match (*arg, *kind) {
            (LaunchArg::Scalar(bits), ParamKind::Scalar(_)) => words.push(bits),
            (
                LaunchArg::Slice {
                    ptr,
                    len,
                    first,
                    count,
                },
                ParamKind::Input(elem) | ParamKind::Own(elem) | ParamKind::Accumulator(elem, _),
            ) => {
                let there = first..first.checked_add(count)?;
                let reached = reach(*access, launch, len);
                if reached.is_some_and(|r| there.start > r.start || there.end < r.end) {
                    return None;
                }
                let address = locate(ptr, count.checked_mul(elem.size())?)?;
                if !address.is_multiple_of(elem.size()) {
                    return None;
                }
                words.extend([address.wrapping_sub(first.wrapping_mul(elem.size())), len]);
            }
            _ => return None,
        }
    }
    Some(words)
}

/// Elements that a launch can touch; an empty range sits at its start, `None` touches nothing anywhere.
fn reach(access: Access, launch: &Launch, len: u64) -> Option<Range<u64>> {
    let clip = |start: u64, end: u64| Some(start.min(end.min(len))..end.min(len));
    match access {
        Access::Input(Reach::Whole) | Access::Accumulator => Some(0..len),
        Access::Input(Reach::Window { before, after }) => clip(
            launch.base.saturating_sub(before),
            launch.end.saturating_add(after),
        ),
        Access::Own { .. } => clip(launch.base, launch.end),
        _ => None,
    }
}
