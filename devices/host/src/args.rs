//! The argument block of a launch, the same for every target that has no host pointers.
//!
//! Words of 64 bits: base, end, address of the fault word; then for each parameter a scalar's bits, or a
//! slice's address of element 0 and its length.

use hotsled_ir::{Module, ParamKind};

#[cfg(any(feature = "cuda", feature = "vulkan"))]
use crate::launch::Given;

/// Word of the first index.
pub(crate) const BASE: usize = 0;
/// Word of the index after the last.
pub(crate) const END: usize = 1;
/// Word of the fault word's address.
pub(crate) const FAULT: usize = 2;
/// Bytes behind the fault word there are 8 that nobody writes, to be read in place of an element that is none.
pub(crate) const SPARE: u64 = 16;
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

    /// The block of a launch, its fault word's address still to come.
    #[cfg(any(feature = "cuda", feature = "vulkan"))]
    pub(crate) fn block(base: u64, end: u64, given: &[Given]) -> Vec<u64> {
        let mut words = vec![base, end, 0];
        for given in given {
            match *given {
                Given::Scalar(bits) => words.push(bits),
                Given::Slice { address, len } => words.extend([address, len]),
            }
        }
        words
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
