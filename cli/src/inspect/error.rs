//! What can be wrong with a file, and with a row of it.

use hotsled_abi::{RecordError, SITE_ROW_LEN, SITE_VERSION, TEXT_SECTION};
use serde::{Serialize, Serializer};

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// Not ELF, or damaged.
    #[error("is no whole ELF file: {0}")]
    Elf(#[from] goblin::error::Error),
    /// ELF of another kind.
    #[error("is ELF for {0}; sections exist for 64-bit little-endian x86-64")]
    Foreign(String),
    /// Not linked yet.
    #[error("is an object file; inspect what is linked from it")]
    Object,
    /// The site table lies outside the file.
    #[error("the site table ({len} bytes at offset {offset:#x}) lies outside the file")]
    TableOutside {
        /// Its file offset.
        offset: u64,
        /// Its length.
        len: u64,
    },
}

/// What is wrong with one row; says row, address and reason.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The table ends within a row.
    #[error("row {row} at {address:#x}: {have} bytes are left of a row's {SITE_ROW_LEN}")]
    Truncated {
        /// Row number.
        row: usize,
        /// Address of the row.
        address: u64,
        /// Bytes that are there.
        have: usize,
    },
    /// An entry that the table does not know, so that nobody would ever patch it.
    #[error("the entry at {address:#x} of {TEXT_SECTION} has no row")]
    NoRow {
        /// Address of the entry.
        address: u64,
    },
    /// Unknown layout.
    #[error("row {row} at {address:#x}: version {version}; this program reads {SITE_VERSION}")]
    Version {
        /// Row number.
        row: usize,
        /// Address of the row.
        address: u64,
        /// What it states.
        version: u32,
    },
    /// A sled off its grid.
    #[error("row {row}: the sled at {address:#x} is not 16-byte aligned")]
    Misaligned {
        /// Row number.
        row: usize,
        /// Address of the sled.
        address: u64,
    },
    /// A field that leads out of its kind of memory.
    #[error("row {row}: the {what} at {address:#x} is not in {space} memory of the file")]
    OutOfRange {
        /// Row number.
        row: usize,
        /// Which field.
        what: &'static str,
        /// Where it leads.
        address: u64,
        /// Where it should lead.
        space: &'static str,
    },
    /// Bytes that are not the idle nop.
    #[error("row {row}: the sled at {address:#x} holds {found:02x?} ({decoded}), not the idle nop")]
    NotIdle {
        /// Row number.
        row: usize,
        /// Address of the sled.
        address: u64,
        /// What is there.
        found: [u8; 8],
        /// Its first instruction.
        decoded: String,
    },
    /// No jump to the body behind the sled.
    #[error("row {row}: behind the sled at {address:#x} is no jump to the body at {body:#x}")]
    NoJump {
        /// Row number.
        row: usize,
        /// Address of the sled.
        address: u64,
        /// Where it should lead.
        body: u64,
    },
    /// Two sleds in one place.
    #[error("row {row}: the sled at {address:#x} overlaps the one of row {other}")]
    Overlap {
        /// Row number.
        row: usize,
        /// Address of the sled.
        address: u64,
        /// The other row.
        other: usize,
    },
    /// A damaged record.
    #[error("row {row}: the record at {address:#x}: {source}")]
    Record {
        /// Row number.
        row: usize,
        /// Address of the record.
        address: u64,
        /// What is wrong.
        source: RecordError,
    },
    /// Virtual ISA that no program may hold.
    #[error("row {row}: the module of the record at {address:#x}: {source}")]
    Module {
        /// Row number.
        row: usize,
        /// Address of the record.
        address: u64,
        /// What is wrong.
        source: hotsled_ir::ReadError,
    },
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
