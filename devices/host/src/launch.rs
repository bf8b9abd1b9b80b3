//! What a launch gives a module, checked against what the module can reach.

use std::ops::Range;

use hotsled_ir::{Access, ParamKind, Reach};
use hotsled_link::{DevicePtr, Launch, LaunchArg};

/// One argument, as lowered code takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// A scalar's bits.
    Scalar(u64),
    /// A slice: the address that element 0 has or would have, and the whole length.
    Slice { address: u64, len: u64 },
}

/// The arguments of a launch, if each parameter is given what its module can reach. `locate` gives the address
/// of so many bytes of device memory, if they are there.
pub(crate) fn given(
    params: &[ParamKind],
    access: &[Access],
    launch: &Launch,
    locate: impl Fn(DevicePtr, u64) -> Option<u64>,
) -> Option<Vec<Given>> {
    if launch.args.len() != params.len() || launch.base > launch.end {
        return None;
    }
    let all = launch.args.iter().zip(params).zip(access);
    all.map(|((arg, kind), access)| match (*arg, *kind) {
        (LaunchArg::Scalar(bits), ParamKind::Scalar(_)) => Some(Given::Scalar(bits)),
        (
            LaunchArg::Slice {
                ptr,
                len,
                first,
                count,
            },
            kind,
        ) => {
            let size = kind.elem()?.size();
            let there = first..first.checked_add(count)?;
            let reached = reach(*access, launch, len);
            if reached.is_some_and(|r| there.start > r.start || there.end < r.end) {
                return None;
            }
            let found = locate(ptr, count.checked_mul(size)?)?;
            let address = found.wrapping_sub(first.wrapping_mul(size));
            found
                .is_multiple_of(size)
                .then_some(Given::Slice { address, len })
        }
        _ => None,
    })
    .collect()
}

/// Elements that a launch can touch; an empty range sits at its start, `None` touches nothing anywhere.
fn reach(access: Access, launch: &Launch, len: u64) -> Option<Range<u64>> {
    let clip = |start: u64, end: u64| Some(start.min(end.min(len))..end.min(len));
    match access {
        Access::Scalar | Access::Input(Reach::Unused) => None,
        Access::Input(Reach::Whole) | Access::Accumulator => Some(0..len),
        Access::Input(Reach::Window { before, after }) => clip(
            launch.base.saturating_sub(before),
            launch.end.saturating_add(after),
        ),
        Access::Own { .. } => clip(launch.base, launch.end),
    }
}
