//! Every section of the program, read once.

use std::sync::OnceLock;

use hotsled_abi::{RecordView, SiteAddr, SiteId};
use hotsled_ir::{Access, Valid};
use hotsled_patcher::TableEntry;

use crate::cell::SectionCell;
use crate::error::{Error, Result};
use crate::modules;

/// One section as the engine knows it.
pub(crate) struct Section {
    pub site: SiteId,
    pub sled: SiteAddr,
    pub cell: &'static SectionCell,
    pub path: &'static str,
    /// Virtual-ISA bytes, for devices to lower.
    pub bytes: &'static [u8],
    pub module: Valid,
    pub access: Vec<Access>,
}

static REGISTRY: OnceLock<Vec<Section>> = OnceLock::new();

/// All sections; the first call reads the site table.
///
/// # Errors
/// A faulty table or record, named; nothing is registered then.
pub(crate) fn registry() -> Result<&'static [Section]> {
    if let Some(sections) = REGISTRY.get() {
        return Ok(sections);
    }
    let sections = read()?;
    Ok(REGISTRY.get_or_init(|| {
        sections.iter().for_each(|s| s.cell.register(s.site));
        sections
    }))
}

/// A section by its number, once the registry has been read.
pub(crate) fn by_site(site: SiteId) -> Option<&'static Section> {
    REGISTRY.get()?.get(site.0 as usize)
}

fn read() -> Result<Vec<Section>> {
    let (start, stop) = modules::bounds();
    if start == stop {
        return Ok(Vec::new());
    }
    // SAFETY: the linker's bounds of the table, which is read-only data of this program.
    let entries = unsafe { hotsled_patcher::read(start, stop) }.map_err(Error::SiteTable)?;
    entries
        .iter()
        .enumerate()
        .map(|(n, entry)| section(SiteId(n as u32), entry))
        .collect()
}

fn section(site: SiteId, entry: &TableEntry) -> Result<Section> {
    // SAFETY: the table reader found this range readable, and records are read-only data.
    let record = unsafe { std::slice::from_raw_parts(entry.record as *const u8, entry.record_len) };
    let view = RecordView::parse(record).map_err(|source| Error::Record {
        sled: entry.sled,
        source,
    })?;
    let module = hotsled_ir::read(view.module).map_err(|source| Error::Module {
        section: view.path.to_owned(),
        source,
    })?;
    // SAFETY: the row names the static `SectionCell` that the same macro emitted; the reader found the
    // address aligned and in writable data of this program.
    let cell = unsafe { &*(entry.cell as *const SectionCell) };
    let access = hotsled_ir::access(&module);
    Ok(Section {
        site,
        sled: entry.sled,
        cell,
        path: view.path,
        bytes: view.module,
        module,
        access,
    })
}
