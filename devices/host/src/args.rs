//! The argument block of a launch, the same for every target that has no host pointers.
//!
//! Words of 64 bits: base, end, address of the fault word; then for each parameter a scalar's bits, or a
//! slice's address of element 0 and its length.

use hotsled_ir::{Module, ParamKind};

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
