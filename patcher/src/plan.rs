//! What a session will write, worked out before anything is written.

use hotsled_abi::{INT3, SLED_LEN, SiteAddr, SiteId};
use hotsled_sys::page::PAGE;

/// One site's change: from one 8-byte word to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The site.
    pub site: SiteId,
    /// Its address, 8-byte aligned.
    pub address: SiteAddr,
    /// Bytes it must hold now.
    pub from: [u8; SLED_LEN],
    /// Bytes it will hold.
    pub to: [u8; SLED_LEN],
}

impl Edit {
    /// The old bytes with a breakpoint in front.
    pub fn trapping_old(&self) -> [u8; SLED_LEN] {
        trapping(self.from)
    }

    /// The new bytes with a breakpoint in front.
    pub fn trapping_new(&self) -> [u8; SLED_LEN] {
        trapping(self.to)
    }
}

fn trapping(mut bytes: [u8; SLED_LEN]) -> [u8; SLED_LEN] {
    bytes[0] = INT3;
    bytes
}

/// Edits in ascending order, grouped into spans that are written in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Edits by address.
    pub edits: Vec<Edit>,
    /// Ranges of `edits` whose neighbours are less than a page apart.
    pub spans: Vec<std::ops::Range<usize>>,
}

impl Plan {
    /// Sorts and groups edits; one write serves a span.
    pub fn new(mut edits: Vec<Edit>) -> Self {
        edits.sort_by_key(|e| e.address);
        let mut spans: Vec<std::ops::Range<usize>> = Vec::new();
        for at in 0..edits.len() {
            let near = at > 0 && edits[at].address.get() - edits[at - 1].address.get() < PAGE;
            match spans.last_mut() {
                Some(span) if near => span.end = at + 1,
                _ => spans.push(at..at + 1),
            }
        }
        Self { edits, spans }
    }

    /// First address and length in bytes of a span.
    pub fn extent(&self, span: &std::ops::Range<usize>) -> (u64, usize) {
        let first = self.edits[span.start].address.get();
        let last = self.edits[span.end - 1].address.get() + SLED_LEN as u64;
        (first, (last - first) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edit(address: u64) -> Edit {
        let address = SiteAddr::new(address);
        Edit {
            site: SiteId(0),
            address,
            from: [1; 8],
            to: [2; 8],
        }
    }

    proptest! {
        #[test]
        fn spans_cover_every_edit_once_in_order(addresses in proptest::collection::btree_set(0u64..100_000, 0..50)) {
            let plan = Plan::new(addresses.iter().rev().map(|a| edit(a * 16)).collect());
            let covered: Vec<usize> = plan.spans.iter().cloned().flatten().collect();
            prop_assert_eq!(covered, (0..plan.edits.len()).collect::<Vec<_>>());
            prop_assert!(plan.edits.is_sorted_by_key(|e| e.address));
            for span in &plan.spans {
                let (start, len) = plan.extent(span);
                prop_assert!(plan.edits[span.clone()].iter().all(|e| e.address.get() >= start
                    && e.address.get() + 8 <= start + len as u64));
            }
        }

        #[test]
        fn distant_edits_never_share_a_span(gap in 4096u64..1 << 30) {
            let plan = Plan::new(vec![edit(0x1000), edit(0x1000 + (gap & !7))]);
            prop_assert_eq!(plan.spans.len(), 2);
        }
    }
}
