//! Page arithmetic; x86-64 base pages are 4 KiB.

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// A whole, non-zero number of pages in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLen(usize);

impl PageLen {
    /// The smallest page length that holds `bytes` (at least one page).
    ///
    /// # Panics
    /// When the length does not fit the address space.
    pub fn holding(bytes: usize) -> Self {
        let pages = bytes.max(1).checked_next_multiple_of(PAGE as usize);
        Self(pages.expect("a length within the address space"))
    }

    /// Length in bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

/// Start of the page that holds `address`.
pub const fn floor(address: u64) -> u64 {
    address & !(PAGE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_round_up_to_whole_pages() {
        let bytes = |n| PageLen::holding(n).bytes();
        assert_eq!(
            [bytes(0), bytes(1), bytes(4096), bytes(4097)],
            [4096, 4096, 4096, 8192]
        );
    }
}
