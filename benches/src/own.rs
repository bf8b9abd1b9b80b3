//! The sections that this program carries.

use hotsled_abi::{EntryFn, RecordView};

unsafe extern "C" {
    #[link_name = "__start_hotsled_sites_v1"]
    static START: u8;
    #[link_name = "__stop_hotsled_sites_v1"]
    static STOP: u8;
}

/// A section of this program.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its sled.
    pub sled: EntryFn,
    /// Its CPU body.
    pub body: EntryFn,
    /// Its virtual ISA.
    pub module: &'static [u8],
}

/// The section whose path ends so.
///
/// # Panics
/// When there is none.
pub fn section(path: &str) -> Section {
    // SAFETY: the linker's bounds of the table, which is read-only.
    let rows = unsafe { hotsled_patcher::read(&raw const START, &raw const STOP) };
    let rows = rows.expect("a whole site table");
    let found = rows.iter().find_map(|row| {
        // SAFETY: `read` found the record readable; records are never written.
        let bytes = unsafe { std::slice::from_raw_parts(row.record as *const u8, row.record_len) };
        let record = RecordView::parse(bytes).ok()?;
        record.path.ends_with(path).then_some((row, record.module))
    });
    let (row, module) = found.unwrap_or_else(|| panic!("{path} is in the table"));
    let code = |at: u64| {
        // SAFETY: sled and body of a checked row are code of this type.
        unsafe { std::mem::transmute::<u64, EntryFn>(at) }
    };
    Section {
        sled: code(row.sled.get()),
        body: code(row.body.get()),
        module,
    }
}
