//! Lists the sections of an ELF file without running it, and believes nothing in it.

mod error;
mod image;
mod row;
mod show;

use std::path::Path;

use hotsled_abi::{ENTRY_STRIDE, SITE_ROW_LEN, SITES_SECTION};

pub use error::{Fault, FileError};
use image::Image;
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
    let Some(table) = image.table(SITES_SECTION)? else {
        return Ok(Report::default());
    };
    let (rows, rest) = table.bytes.as_chunks::<SITE_ROW_LEN>();
    if !rest.is_empty() {
        return Err(FileError::TableLength {
            table: table.address,
            len: table.bytes.len(),
        });
    }
    let mut report = Report::default();
    for (number, row) in rows.iter().enumerate() {
        let at = table.address.wrapping_add((number * SITE_ROW_LEN) as u64);
        match row::read(&image, number, at, row) {
            Ok(section) => report.sections.push(section),
            Err(fault) => report.faults.push(fault),
        }
    }
    report.faults.extend(overlaps(&report.sections));
    Ok(report)
}

fn overlaps(sections: &[Section]) -> Vec<Fault> {
    let mut order: Vec<&Section> = sections.iter().collect();
    order.sort_by_key(|s| s.site);
    let close = |pair: &&[&Section]| pair[1].site - pair[0].site < ENTRY_STRIDE as u64;
    let fault = |pair: &[&Section]| Fault::Overlap {
        row: pair[1].row,
        address: pair[1].site,
        other: pair[0].row,
    };
    order.windows(2).filter(close).map(fault).collect()
}
