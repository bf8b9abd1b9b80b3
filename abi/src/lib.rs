//! Byte-level contracts that every other crate shares: section names, site rows, section records,
//! module notes, argument blocks and typed addresses. Nothing here touches memory or the operating system.
#![no_std]
#![forbid(unsafe_code)]

mod addr;
mod args;
mod insn;
mod module;
mod note;
mod record;
mod section;
mod site;

pub use addr::{Generation, SiteAddr, SiteId, TargetAddr};
pub use args::{ArgBlock, ArgSlot, EntryFn};
pub use insn::{INT3, JMP8_LEN, NOP8, SLED_LEN, jmp_word, nop_word};
pub use module::{CONTRACT_VERSION, EngineTable, LEAVING, MAPPED, Module, ModuleHead, READY};
pub use note::{NOTE_LEN, NOTE_NAME, NOTE_TYPE, Note, NoteError, build_id};
pub use record::{
    MAX_ARRAY_ELEMENTS, RECORD_ALIGN, RECORD_MAGIC, RECORD_VERSION, RecordError, RecordView,
    array_len, arrays_fit, assemble, concat, concat_len, fnv1a, number, record_len,
};
pub use section::{
    NOTE_SECTION, RECORDS_SECTION, SITES_SECTION, SITES_START_SYMBOL, SITES_STOP_SYMBOL,
    TEXT_SECTION,
};
pub use site::{ENTRY_STRIDE, SITE_ROW_LEN, SITE_VERSION, SiteRow};
