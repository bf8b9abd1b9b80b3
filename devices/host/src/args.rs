//! The argument block of a launch, the same for every target that has no host pointers.
//!
//! Words of 64 bits: base, end, address of the fault word; then for each parameter a scalar's bits, or a
//! slice's address of element 0 and its length.

use std::ops::Range;

use hotsled_ir::{Access, Module, ParamKind, Reach};
use hotsled_link::{DevicePtr, Launch, LaunchArg};

/// Word of the first index.
pub(crate) const BASE: usize = 0;
/// Word of the index after the last.
pub(crate) const END: usize = 1;
/// Word of the fault word's address.
pub(crate) const FAULT: usize = 2;
const HEAD: usize = 3;

/// Where each parameter's words stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    first: Vec<usize>,
    words: usize,
}

impl Layout {
    pub(crate) fn of(module: &Module) -> Self {
        let mut words = HEAD;
        let mut first = Vec::with_capacity(module.params.len());
        for param in &module.params {
            first.push(words);
            words += if matches!(param.kind, ParamKind::Scalar(_)) {
                1
            } else {
                2
            };
        }
        Self { first, words }
    }

    /// First word of a parameter.
    pub(crate) fn param(&self, n: usize) -> usize {
        self.first[n]
    }

    /// Words of the whole block.
    pub(crate) fn words(&self) -> usize {
        self.words
    }
}

/// The block of a launch, if the launch gives each parameter what its module can reach. `locate` gives the
/// address of so many bytes of device memory, if they are there.
pub(crate) fn block(
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
                ParamKind::Input(elem) | ParamKind::Own(elem),
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
        Access::Input(Reach::Whole) => Some(0..len),
        Access::Input(Reach::Window { before, after }) => clip(
            launch.base.saturating_sub(before),
            launch.end.saturating_add(after),
        ),
        Access::Own { .. } => clip(launch.base, launch.end),
        _ => None,
    }
}
