//! Rows of the site table.

use crate::{SiteAddr, TargetAddr};

/// Version that rows of this layout carry.
pub const SITE_VERSION: u32 = 1;
/// Bytes of one row.
pub const SITE_ROW_LEN: usize = 24;
/// Bytes of one entry in the text section: sled, jump to the body, padding.
pub const ENTRY_STRIDE: usize = 16;

/// One row, exactly as the section macro's assembly emits it.
///
/// Each `i32` is relative to its own address, so that a table needs no dynamic relocations:
/// the value it names lies at `address of the field + field`.
///
/// | offset | field | names |
/// |---|---|---|
/// | 0 | `version` | [`SITE_VERSION`] |
/// | 4 | `sled` | the entry's first byte |
/// | 8 | `body` | the CPU body |
/// | 12 | `record` | the section's record |
/// | 16 | `record_len` | bytes of that record (not relative) |
/// | 20 | `cell` | the section's state cell, in writable data |
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteRow {
    /// Layout version.
    pub version: u32,
    /// Relative address of the sled.
    pub sled: i32,
    /// Relative address of the CPU body.
    pub body: i32,
    /// Relative address of the record.
    pub record: i32,
    /// Length of the record in bytes.
    pub record_len: u32,
    /// Relative address of the section's state cell.
    pub cell: i32,
}

const _: () = assert!(size_of::<SiteRow>() == SITE_ROW_LEN);
const _: () = assert!(align_of::<SiteRow>() == 4);

impl SiteRow {
    /// Reads a row from its bytes.
    pub fn from_bytes(bytes: &[u8; SITE_ROW_LEN]) -> Self {
        let word =
            |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        Self {
            version: word(0),
            sled: word(4) as i32,
            body: word(8) as i32,
            record: word(12) as i32,
            record_len: word(16),
            cell: word(20) as i32,
        }
    }

    /// Where the sled of the row at address `row` starts.
    pub const fn sled_at(&self, row: u64) -> SiteAddr {
        SiteAddr::new(row.wrapping_add(4).wrapping_add_signed(self.sled as i64))
    }

    /// Where the CPU body of the row at address `row` starts.
    pub const fn body_at(&self, row: u64) -> TargetAddr {
        TargetAddr::new(row.wrapping_add(8).wrapping_add_signed(self.body as i64))
    }

    /// Where the record of the row at address `row` starts.
    pub const fn record_at(&self, row: u64) -> u64 {
        row.wrapping_add(12).wrapping_add_signed(self.record as i64)
    }

    /// Where the state cell of the row at address `row` starts.
    pub const fn cell_at(&self, row: u64) -> u64 {
        row.wrapping_add(20).wrapping_add_signed(self.cell as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_at_the_last_addresses_wrap() {
        let row = SiteRow::from_bytes(&[0; SITE_ROW_LEN]);
        let at = u64::MAX - 1;
        assert_eq!((row.sled_at(at).get(), row.body_at(at).get()), (2, 6));
        assert_eq!((row.record_at(at), row.cell_at(at)), (10, 18));
    }
}
