//! Lists the sections of an ELF file without running it, and believes nothing in it.

mod error;
mod image;
mod row;
mod show;

use std::path::Path;

use hotsled_abi::{ENTRY_STRIDE, INT3, SITE_ROW_LEN, SITES_SECTION, SiteRow, TEXT_SECTION};

pub use error::{Fault, FileError};
use image::{Image, Table};
pub use row::{Kind, Param, Section};
pub use show::Listing;

/// What a file holds.
#[derive(Debug, Default, serde::Serialize)]
pub struct Report {
    /// Whole sections, in table order.
    pub sections: Vec<Section>,
    /// What is wrong, in table order.
    pub faults: Vec<Fault>,
}

/// Reads the file at `path`.
///
/// # Errors
/// [`FileError`] when the file as a whole cannot be read; faults of rows are in the report.
pub fn file(path: &Path) -> Result<Report, FileError> {
    bytes(&std::fs::read(path).map_err(FileError::Read)?)
}

/// Reads an ELF file from its bytes; a file without sections gives an empty report.
///
/// # Errors
/// As [`file()`].
pub fn bytes(bytes: &[u8]) -> Result<Report, FileError> {
    let image = Image::parse(bytes)?;
    let table = image.table(SITES_SECTION)?.unwrap_or_default();
    let mut report = Report::default();
    let (rows, rest) = table.bytes.as_chunks::<SITE_ROW_LEN>();
    let at = |row: usize| table.address.wrapping_add((row * SITE_ROW_LEN) as u64);
    let mut sleds = Vec::new();
    for (row, bytes) in rows.iter().enumerate() {
        sleds.push((SiteRow::from_bytes(bytes).sled_at(at(row)).get(), row));
        match row::read(&image, row, at(row), bytes) {
            Ok(section) => report.sections.push(section),
            Err(fault) => report.faults.push(fault),
        }
    }
    if !rest.is_empty() {
        report.faults.push(Fault::Truncated {
            row: rows.len(),
            address: at(rows.len()),
            have: rest.len(),
        });
    }
    sleds.sort_unstable();
    report.faults.extend(overlaps(&sleds));
    let text = image.table(TEXT_SECTION)?.unwrap_or_default();
    report.faults.extend(unlisted(&text, &sleds));
    Ok(report)
}

/// Rows whose sleds, which are in ascending order, lie too close to each other.
fn overlaps(sleds: &[(u64, usize)]) -> impl Iterator<Item = Fault> {
    let close = |pair: &&[(u64, usize)]| pair[1].0 - pair[0].0 < ENTRY_STRIDE as u64;
    sleds.windows(2).filter(close).map(|pair| Fault::Overlap {
        row: pair[1].1,
        address: pair[1].0,
        other: pair[0].1,
    })
}

/// Entries that no row leads to. Where all is breakpoints there is no entry but padding.
fn unlisted(text: &Table<'_>, sleds: &[(u64, usize)]) -> impl Iterator<Item = Fault> {
    let (entries, _) = text.bytes.as_chunks::<ENTRY_STRIDE>();
    let entries = entries.iter().enumerate();
    let written = entries.filter(|(_, bytes)| **bytes != [INT3; ENTRY_STRIDE]);
    let address = |entry: usize| text.address.wrapping_add((entry * ENTRY_STRIDE) as u64);
    let unknown = |address: &u64| sleds.binary_search_by_key(address, |s| s.0).is_err();
    let found = written
        .map(move |(entry, _)| address(entry))
        .filter(unknown);
    found.map(|address| Fault::NoRow { address })
}
