//! Why the sections of one object stay on the CPU.

use hotsled_abi::{CONTRACT_VERSION, NoteError, RecordError, SiteAddr};
use hotsled_ir::ReadError;
use hotsled_patcher::{PatchError, TableError};
use hotsled_trampolines::TrampolineError;

/// What is wrong with one object; nothing of it is patched, and other objects are not affected.
#[derive(Debug, thiserror::Error)]
pub enum ObjectFault {
    /// Its notes are damaged.
    #[error(transparent)]
    Note(NoteError),
    /// Its note leads out of it.
    #[error("the note's {what} {start:#x}..{end:#x} is not {space} memory of the object")]
    Bounds {
        /// Field of the note.
        what: &'static str,
        /// First address.
        start: u64,
        /// One past the last.
        end: u64,
        /// Kind of memory it must lie in.
        space: &'static str,
    },
    /// Its copy of the crate is of another version.
    #[error(
        "its copy of hotsled speaks contract version {version}, this engine {CONTRACT_VERSION}; build both with one version"
    )]
    Contract {
        /// Version of the copy.
        version: u32,
    },
    /// Its site table is faulty.
    #[error("site table: {0}")]
    Table(#[source] TableError),
    /// A section's record is faulty.
    #[error("record of the section at {sled}: {source}")]
    Record {
        /// The section's sled.
        sled: SiteAddr,
        /// What is wrong.
        source: RecordError,
    },
    /// A section's virtual ISA is faulty.
    #[error("virtual ISA of {section} at {sled}: {source}")]
    Isa {
        /// The section.
        section: String,
        /// Its sled.
        sled: SiteAddr,
        /// What is wrong.
        source: ReadError,
    },
    /// No trampolines near its text.
    #[error("trampolines: {0}")]
    Trampolines(#[from] TrampolineError),
    /// The patcher did not take its sleds.
    #[error("patching: {0}")]
    Patch(#[from] PatchError),
}
