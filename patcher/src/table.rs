//! Reads a site table and believes nothing in it.

use hotsled_abi::{
    ENTRY_STRIDE, NOP8, RecordError, RecordView, SITE_ROW_LEN, SITE_VERSION, SiteAddr, SiteRow,
    TargetAddr,
};
use hotsled_sys::maps::{self, Region};

use crate::TableError;

/// One checked row with absolute addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Row number in its table.
    pub row: usize,
    /// The sled, which is the entry's first byte.
    pub sled: SiteAddr,
    /// The CPU body.
    pub body: TargetAddr,
    /// Address of the record.
    pub record: u64,
    /// Length of the record.
    pub record_len: usize,
    /// Address of the state cell.
    pub cell: u64,
}

/// The memory of the object that a table belongs to: a live process or a file.
pub trait Spaces {
    /// Whether `address..address + len` is executable and not writable.
    fn executable(&self, address: u64, len: u64) -> bool;
    /// Whether `address..address + len` is readable.
    fn readable(&self, address: u64, len: u64) -> bool;
    /// Whether `address..address + len` is writable and not executable.
    fn writable(&self, address: u64, len: u64) -> bool;
}

/// Checks the bytes of a table that lies (or will lie) at `base`.
///
/// Nothing is dereferenced; a faulty row makes the whole table unusable.
///
/// # Errors
/// [`TableError`] names row, address and reason.
pub fn check(rows: &[u8], base: u64, spaces: &impl Spaces) -> Result<Vec<TableEntry>, TableError> {
    let (chunks, rest) = rows.as_chunks::<SITE_ROW_LEN>();
    if !rest.is_empty() {
        return Err(TableError::Length {
            table: base,
            len: rows.len(),
            row: SITE_ROW_LEN,
        });
    }
    let entries: Vec<_> = chunks
        .iter()
        .enumerate()
        .map(|(row, bytes)| entry(row, SiteRow::from_bytes(bytes), base, spaces))
        .collect::<Result<_, _>>()?;
    disjoint(&entries)?;
    Ok(entries)
}

fn entry(
    row: usize,
    fields: SiteRow,
    base: u64,
    spaces: &impl Spaces,
) -> Result<TableEntry, TableError> {
    if fields.version != SITE_VERSION {
        return Err(TableError::Version {
            row,
            version: fields.version,
            known: SITE_VERSION,
        });
    }
    let at = base + (row * SITE_ROW_LEN) as u64;
    let entry = TableEntry {
        row,
        sled: fields.sled_at(at),
        body: fields.body_at(at),
        record: fields.record_at(at),
        record_len: fields.record_len as usize,
        cell: fields.cell_at(at),
    };
    if !entry.sled.get().is_multiple_of(ENTRY_STRIDE as u64) {
        return Err(TableError::Misaligned {
            row,
            sled: entry.sled,
        });
    }
    let out = |what, address, space| {
        Err(TableError::OutOfRange {
            row,
            what,
            address,
            space,
        })
    };
    if !spaces.executable(entry.sled.get(), ENTRY_STRIDE as u64) {
        return out("sled", entry.sled.get(), "executable");
    }
    if !spaces.executable(entry.body.get(), 1) {
        return out("body", entry.body.get(), "executable");
    }
    if !spaces.readable(entry.record, entry.record_len as u64) {
        return out("record", entry.record, "readable");
    }
    if !entry.cell.is_multiple_of(8) || !spaces.writable(entry.cell, 8) {
        return out("cell", entry.cell, "writable, 8-byte aligned");
    }
    Ok(entry)
}

fn disjoint(entries: &[TableEntry]) -> Result<(), TableError> {
    let mut order: Vec<_> = entries.iter().collect();
    order.sort_by_key(|e| e.sled);
    for pair in order.windows(2) {
        if pair[1].sled.get() - pair[0].sled.get() < ENTRY_STRIDE as u64 {
            let (row, other) = (pair[1].row, pair[0].row);
            return Err(TableError::Overlap {
                row,
                sled: pair[1].sled,
                other,
            });
        }
    }
    Ok(())
}

/// Reads the live table at `start..stop`, checks every row, and every sled's bytes and record.
///
/// # Errors
/// [`TableError`] names row, address and reason; nothing is usable then.
///
/// # Safety
/// `start..stop` is readable memory that nobody writes (the linker's bounds of the section).
pub unsafe fn read(start: *const u8, stop: *const u8) -> Result<Vec<TableEntry>, TableError> {
    let live = Live(maps::read().map_err(|e| TableError::Maps(e.to_string()))?);
    // SAFETY: the caller's promise is the same, and what is mapped now is what `Live` says.
    unsafe { read_in(start, stop, &live) }
}

/// As [`read`], for a table whose rows may lead nowhere but into `spaces`.
///
/// # Errors
/// As [`read`].
///
/// # Safety
/// As [`read`]; `spaces` names memory that is mapped as it says and stays so for this call.
pub unsafe fn read_in(
    start: *const u8,
    stop: *const u8,
    spaces: &impl Spaces,
) -> Result<Vec<TableEntry>, TableError> {
    let len = (stop as usize).saturating_sub(start as usize);
    // SAFETY: the caller gives readable, unchanging memory of this length.
    let rows = unsafe { std::slice::from_raw_parts(start, len) };
    let entries = check(rows, start as u64, spaces)?;
    for entry in &entries {
        check_sled(entry)?;
        check_record(entry)?;
    }
    Ok(entries)
}

fn check_sled(entry: &TableEntry) -> Result<(), TableError> {
    // SAFETY: `check` found these 16 bytes mapped executable, which on x86-64 means readable.
    let found = unsafe { std::ptr::read_volatile(entry.sled.get() as *const [u8; 8]) };
    if found == NOP8 {
        return Ok(());
    }
    Err(TableError::NotIdle {
        row: entry.row,
        sled: entry.sled,
        found,
    })
}

fn check_record(entry: &TableEntry) -> Result<(), TableError> {
    // SAFETY: `check` found the range readable; records are read-only data.
    let bytes = unsafe { std::slice::from_raw_parts(entry.record as *const u8, entry.record_len) };
    let fault = |source: RecordError| TableError::Record {
        row: entry.row,
        address: entry.record,
        source,
    };
    RecordView::parse(bytes).map(drop).map_err(fault)
}

struct Live(Vec<Region>);

impl Live {
    fn covers(&self, address: u64, len: u64, wanted: impl Fn(&Region) -> bool) -> bool {
        let Some(end) = address.checked_add(len.max(1)) else {
            return false;
        };
        let mut next = address;
        for region in self.0.iter().filter(|r| wanted(r)) {
            if (region.start..region.end).contains(&next) {
                next = region.end;
            }
        }
        next >= end
    }
}

impl Spaces for Live {
    fn executable(&self, address: u64, len: u64) -> bool {
        self.covers(address, len, |r| r.execute && !r.write)
    }

    fn readable(&self, address: u64, len: u64) -> bool {
        self.covers(address, len, |_| true)
    }

    fn writable(&self, address: u64, len: u64) -> bool {
        self.covers(address, len, |r| r.write && !r.execute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Flat;

    impl Spaces for Flat {
        fn executable(&self, address: u64, len: u64) -> bool {
            address >= 0x1000 && address + len <= 0x2000
        }
        fn readable(&self, address: u64, len: u64) -> bool {
            address >= 0x3000 && address + len <= 0x4000
        }
        fn writable(&self, address: u64, len: u64) -> bool {
            address >= 0x5000 && address + len <= 0x6000
        }
    }

    const BASE: u64 = 0x3800;

    fn row(at: u64, sled: u64, body: u64, record: u64, cell: u64) -> Vec<u8> {
        let rel = |field: u64, to: u64| (to.wrapping_sub(field) as i32).to_le_bytes();
        let mut bytes = SITE_VERSION.to_le_bytes().to_vec();
        bytes.extend(rel(at + 4, sled));
        bytes.extend(rel(at + 8, body));
        bytes.extend(rel(at + 12, record));
        bytes.extend(64u32.to_le_bytes());
        bytes.extend(rel(at + 20, cell));
        bytes
    }

    fn good(n: u64) -> Vec<u8> {
        let rows = (0..n).map(|i| {
            row(
                BASE + 24 * i,
                0x1000 + 16 * i,
                0x1800,
                0x3000,
                0x5000 + 8 * i,
            )
        });
        rows.flatten().collect()
    }

    #[test]
    fn a_good_table_gives_absolute_addresses() {
        let entries = check(&good(3), BASE, &Flat).unwrap();
        assert_eq!(entries[2].sled, SiteAddr::new(0x1020));
        assert_eq!(
            (entries[2].body.get(), entries[2].record, entries[2].cell),
            (0x1800, 0x3000, 0x5010)
        );
    }

    #[test]
    fn faults_name_row_and_reason() {
        let fails = |bytes: &[u8]| check(bytes, BASE, &Flat).unwrap_err();
        assert!(matches!(
            fails(&good(2)[..47]),
            TableError::Length { len: 47, .. }
        ));
        let mut version = good(2);
        version[24] = 9;
        assert!(matches!(
            fails(&version),
            TableError::Version {
                row: 1,
                version: 9,
                ..
            }
        ));
        let one = |sled, body, record, cell| fails(&row(BASE, sled, body, record, cell));
        assert!(matches!(
            one(0x1008, 0x1800, 0x3000, 0x5000),
            TableError::Misaligned { row: 0, .. }
        ));
        assert!(matches!(
            one(0x2000, 0x1800, 0x3000, 0x5000),
            TableError::OutOfRange { what: "sled", .. }
        ));
        assert!(matches!(
            one(0x1000, 0x5000, 0x3000, 0x5000),
            TableError::OutOfRange { what: "body", .. }
        ));
        assert!(matches!(
            one(0x1000, 0x1800, 0x3ff0, 0x5000),
            TableError::OutOfRange { what: "record", .. }
        ));
        assert!(matches!(
            one(0x1000, 0x1800, 0x3000, 0x1000),
            TableError::OutOfRange { what: "cell", .. }
        ));
        let mut twice = good(1);
        twice.extend(row(BASE + 24, 0x1000, 0x1800, 0x3000, 0x5000));
        assert!(matches!(
            fails(&twice),
            TableError::Overlap {
                row: 1,
                other: 0,
                ..
            }
        ));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..96), base in 0u64..1 << 47) {
            let _ = check(&bytes, base, &Flat);
        }
    }
}
