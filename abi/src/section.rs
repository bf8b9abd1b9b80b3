//! ELF section names, spelled here and nowhere else in Rust code.

/// Holds every entry: one sled, one jump to the CPU body, padded to [`crate::ENTRY_STRIDE`].
pub const TEXT_SECTION: &str = "hotsled_text_v1";
/// Holds one [`crate::SiteRow`] per entry.
pub const SITES_SECTION: &str = "hotsled_sites_v1";
/// Holds one flat record (parameters and virtual ISA) per section.
pub const RECORDS_SECTION: &str = "hotsled_records_v1";
/// First byte of the site table of one module; defined by the linker.
pub const SITES_START_SYMBOL: &str = "__start_hotsled_sites_v1";
/// One past the last byte of the site table of one module; defined by the linker.
pub const SITES_STOP_SYMBOL: &str = "__stop_hotsled_sites_v1";
/// Holds the one [`crate::Note`] of a module.
pub const NOTE_SECTION: &str = ".note.hotsled";
