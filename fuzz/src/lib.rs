//! What each target does with its bytes: nothing panics, nothing hangs, nothing wrong is accepted.
//!
//! `tests/tests/corpora.rs` includes this file and replays every corpus on stable Rust.

use hotsled_abi::{ENTRY_STRIDE, JMP8_LEN, RecordView, SLED_LEN, SiteAddr};
use hotsled_cli::inspect::{self, Listing};
use hotsled_link::Message;
use hotsled_patcher::{Spaces, TableEntry};
use hotsled_probe::{ENDBR64, Fit, Sled};

/// A target by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("site_table", site_table),
    ("elf", elf),
    ("sled", sled),
    ("virtual_isa", virtual_isa),
    ("link_message", link_message),
];

/// Where the table of the target `site_table` lies.
pub const TABLE: u64 = 0x20_0000;

/// A mebibyte of text, one of read-only data, one of writable data.
struct Megabytes;

impl Megabytes {
    fn within(start: u64, address: u64, len: u64) -> bool {
        let end = address.checked_add(len);
        address >= start && end.is_some_and(|end| end <= start + (1 << 20))
    }
}

impl Spaces for Megabytes {
    fn executable(&self, address: u64, len: u64) -> bool {
        Self::within(0x10_0000, address, len)
    }

    fn readable(&self, address: u64, len: u64) -> bool {
        Self::within(TABLE, address, len)
    }

    fn writable(&self, address: u64, len: u64) -> bool {
        Self::within(0x30_0000, address, len)
    }
}

/// The rows of a table.
pub fn site_table(bytes: &[u8]) {
    let Ok(mut entries) = hotsled_patcher::check(bytes, TABLE, &Megabytes) else {
        return;
    };
    entries.iter().for_each(entry_is_whole);
    entries.sort_by_key(|entry| entry.sled);
    let apart = |pair: &[TableEntry]| pair[1].sled.get() - pair[0].sled.get() >= 16;
    assert!(entries.windows(2).all(apart), "sleds that overlap");
}

fn entry_is_whole(entry: &TableEntry) {
    let sled = entry.sled.get();
    assert!(sled.is_multiple_of(ENTRY_STRIDE as u64));
    assert!(Megabytes.executable(sled, ENTRY_STRIDE as u64));
    assert!(Megabytes.executable(entry.body.get(), 1));
    assert!(Megabytes.readable(entry.record, entry.record_len as u64));
    assert!(entry.cell.is_multiple_of(8) && Megabytes.writable(entry.cell, 8));
}

/// A file.
pub fn elf(bytes: &[u8]) {
    let Ok(report) = inspect::bytes(bytes) else {
        return;
    };
    for section in &report.sections {
        assert_eq!(section.bytes, "0f 1f 84 00 00 00 00 00");
        assert!(section.site.is_multiple_of(ENTRY_STRIDE as u64));
    }
    assert!(!Listing(&report).to_string().is_empty());
}

/// A foreign sled, behind one byte that places it.
pub fn sled(bytes: &[u8]) {
    let Some((&place, bytes)) = bytes.split_first() else {
        return;
    };
    let start = SiteAddr::new(0x10_0000 + u64::from(place));
    let Ok(sled) = hotsled_probe::analyse(bytes, start) else {
        return;
    };
    let nops = bytes.strip_prefix(&ENDBR64).unwrap_or(bytes);
    let at = |address: SiteAddr| (address.get() - sled.start().get()) as usize;
    assert_eq!(at(sled.end()), nops.len());
    for nop in sled.nops() {
        let code = &nops[at(nop.at)..][..usize::from(nop.len)];
        assert!(is_nop(code), "{code:02x?} is taken for a nop");
    }
    a_jump_fits(&sled);
}

fn a_jump_fits(sled: &Sled) {
    if let Ok(Fit::Ready(place) | Fit::Fuse(place)) = sled.fit() {
        let (at, len) = (place.at.get(), u64::from(place.len));
        assert!(at.is_multiple_of(SLED_LEN as u64) && len >= JMP8_LEN as u64);
        assert!(at >= sled.start().get() && at + len <= sled.end().get());
    }
}

/// Prefixes that change nothing, then `90` (not with REX.B, which makes it an exchange) or `0f 1f /0`.
fn is_nop(mut code: &[u8]) -> bool {
    let mut extended = false;
    while let [
        prefix @ (0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67),
        rest @ ..,
    ] = code
    {
        extended = matches!(prefix, 0x40..=0x4f) && prefix & 1 == 1;
        code = rest;
    }
    match code {
        [0x90] => !extended,
        [0x0f, 0x1f, modrm, ..] => modrm >> 3 & 7 == 0,
        _ => false,
    }
}

/// A section's record, and a module by itself.
pub fn virtual_isa(bytes: &[u8]) {
    let record = RecordView::parse(bytes);
    let module = record.map_or(bytes, |record| record.module);
    let Ok(valid) = hotsled_ir::read(module) else {
        return;
    };
    assert!(!hotsled_ir::print(&valid).is_empty());
    assert_eq!(hotsled_ir::access(&valid).len(), valid.params.len());
    let again = hotsled_ir::read(&hotsled_ir::encode(&valid));
    assert_eq!(again.as_deref(), Ok(&*valid), "read back");
}

/// A packet of the control socket.
pub fn link_message(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        let again = Message::decode(&message.encode());
        assert_eq!(again.ok(), Some(message), "read back");
    }
}
