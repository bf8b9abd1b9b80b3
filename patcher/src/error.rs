//! What can go wrong, with where and why.

use std::io;

use hotsled_abi::{RecordError, SiteAddr, SiteId, TargetAddr};
use hotsled_sys::threads::Thread;

/// A fault of a site table; nothing of a faulty table is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The table is not a whole number of rows.
    #[error("site table at {table:#x} has {len} bytes, which is no multiple of a row's {row}")]
    Length {
        /// Address of the table.
        table: u64,
        /// Its length.
        len: usize,
        /// Length of one row.
        row: usize,
    },
    /// A row of a layout this build does not read.
    #[error("row {row}: version {version} is unknown (this build reads {known})")]
    Version {
        /// Row number.
        row: usize,
        /// Version in the row.
        version: u32,
        /// Version this build reads.
        known: u32,
    },
    /// A sled whose 8 bytes could cross a boundary that stores must not cross.
    #[error("row {row}: sled {sled} is not aligned to 16 bytes")]
    Misaligned {
        /// Row number.
        row: usize,
        /// The sled.
        sled: SiteAddr,
    },
    /// Two rows for one sled, or entries that overlap.
    #[error("row {row}: sled {sled} is or overlaps the sled of row {other}")]
    Overlap {
        /// Row number.
        row: usize,
        /// The sled.
        sled: SiteAddr,
        /// The other row.
        other: usize,
    },
    /// An address outside the memory it must lie in.
    #[error("row {row}: {what} {address:#x} is not in {space} memory of this object")]
    OutOfRange {
        /// Row number.
        row: usize,
        /// Field of the row.
        what: &'static str,
        /// The address.
        address: u64,
        /// Kind of memory it must lie in.
        space: &'static str,
    },
    /// A record that does not parse.
    #[error("row {row}: record at {address:#x}: {source}")]
    Record {
        /// Row number.
        row: usize,
        /// Address of the record.
        address: u64,
        /// What is wrong with it.
        source: RecordError,
    },
    /// The bytes of a sled are not the idle nop.
    #[error("row {row}: sled {sled} holds {found:02x?}, not the 8-byte nop")]
    NotIdle {
        /// Row number.
        row: usize,
        /// The sled.
        sled: SiteAddr,
        /// Bytes found.
        found: [u8; 8],
    },
    /// Own memory map could not be read.
    #[error("cannot read /proc/self/maps: {0}; mount /proc")]
    Maps(String),
}

/// Why one site was not switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The site.
    pub site: SiteId,
    /// Its address.
    pub address: SiteAddr,
    /// Bytes that should have been there.
    pub expected: [u8; 8],
    /// Bytes that were there.
    pub found: [u8; 8],
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            site,
            address,
            expected,
            found,
        } = self;
        write!(
            f,
            "site {} at {address} holds {found:02x?} instead of {expected:02x?}",
            site.0
        )
    }
}

/// Why text pages could not be given an alias.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// Own memory map could not be read.
    #[error("cannot read /proc/self/maps: {0}; mount /proc")]
    Maps(#[source] io::Error),
    /// The pages are not read-only private text of a file.
    #[error("text at {address:#x} is not private, read-only text of a file")]
    NotFile {
        /// First address of the pages.
        address: u64,
    },
    /// The file that the text came from cannot be opened.
    #[error("cannot open {path}, from which the text came: {source}")]
    Open {
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Text is not what its file says: somebody's breakpoint, a relocation, or a replaced file.
    #[error(
        "text at {address:#x} differs from its file (a breakpoint, a uprobe, a relocation, or a new file); it would be lost"
    )]
    Differs {
        /// The first address that differs.
        address: u64,
    },
    /// The kernel refused a mapping.
    #[error("cannot map text at {address:#x}: {source}")]
    Map {
        /// First address of the pages.
        address: u64,
        /// What the kernel said.
        source: io::Error,
    },
    /// Memory that is written through one mapping could not be run through another.
    #[error(
        "an alias does not work in this process: {0}; allow memfd_create and executable mappings of it"
    )]
    Unusable(#[source] io::Error),
}

/// Why nothing, or not everything, was patched.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// A second patcher in one process.
    #[error("this process has a patcher already; sites are adopted by that one")]
    Exists,
    /// The kernel offers no core-serialising barrier, or a filter forbids it.
    #[error(
        "membarrier(SYNC_CORE) is not to be had: {0}; allow it in the seccomp filter, or run Linux 4.16 or newer"
    )]
    Barrier(#[source] io::Error),
    /// Own memory cannot be written.
    #[error(
        "cannot write own text through /proc/self/mem: {0}; mount /proc, and allow forced writes (proc_mem.force_override)"
    )]
    WritePath(#[source] io::Error),
    /// Text pages could not be given an alias.
    #[error("no alias of the text: {0}")]
    Alias(#[from] AliasError),
    /// Neither write path works.
    #[error("own text cannot be written: /proc/self/mem: {mem}; and {alias}")]
    NoWritePath {
        /// Why not through `/proc/self/mem`.
        mem: io::Error,
        /// Why not through an alias.
        alias: AliasError,
    },
    /// The SIGTRAP handler could not be installed.
    #[error("cannot install the SIGTRAP handler: {0}")]
    Handler(#[source] io::Error),
    /// The hooks that keep fork(3) out of a session could not be registered.
    #[error("cannot register fork hooks: {0}")]
    ForkHooks(#[source] io::Error),
    /// Somebody replaced the SIGTRAP handler again after it was re-installed once.
    #[error("the SIGTRAP handler was replaced twice (now {address:#x}); int3 patching is refused")]
    HandlerLost {
        /// What is installed now.
        address: usize,
    },
    /// A thread that blocks SIGTRAP would be killed at an int3.
    #[error("threads block SIGTRAP and would be killed by a breakpoint: {}; unblock it there", names(.0))]
    TrapBlocked(Vec<Thread>),
    /// A debugger owns the breakpoints of this process.
    #[error(
        "process {tracer} traces this one; detach it (gdb: `detach`), or start with traced = patch"
    )]
    Traced {
        /// Its pid.
        tracer: i32,
    },
    /// Facts about threads could not be read.
    #[error("cannot read /proc/self: {0}; mount /proc")]
    Proc(#[source] io::Error),
    /// The caller is a fork of the process that adopted the sites.
    #[error(
        "process {pid} is a fork of {owner}, which owns the sleds; a child runs CPU code and never patches"
    )]
    Forked {
        /// Caller.
        pid: i32,
        /// Owner.
        owner: i32,
    },
    /// A sled that is not 8-byte aligned.
    #[error("sled {0} is not aligned to 8 bytes")]
    Misaligned(SiteAddr),
    /// A sled that is adopted already or overlaps one that is.
    #[error("sled {0} is or overlaps a sled that is adopted already")]
    Duplicate(SiteAddr),
    /// A target beyond rel32.
    #[error("target {target} is beyond the reach of a jump at {site}")]
    Reach {
        /// The sled.
        site: SiteAddr,
        /// Its target.
        target: TargetAddr,
    },
    /// A nop that a jump does not fit over.
    #[error("the nop at {site} has {len} bytes, fewer than a jump")]
    Short {
        /// The sled.
        site: SiteAddr,
        /// Bytes of its nop.
        len: u8,
    },
    /// A sled that does not hold the idle nop when it is adopted.
    #[error("sled {site} holds {found:02x?}, not its nop")]
    NotIdle {
        /// The sled.
        site: SiteAddr,
        /// Bytes found.
        found: [u8; 8],
    },
    /// A site number that nobody adopted.
    #[error("site {0:?} is not adopted")]
    Unknown(SiteId),
    /// A site whose object is unloaded.
    #[error("site {site:?} at {sled} is forgotten: its object is unloaded")]
    Forgotten {
        /// Its number.
        site: SiteId,
        /// Where it was.
        sled: SiteAddr,
    },
    /// Memory of sites that cannot be read any more.
    #[error(
        "{len} bytes of sites at {start:#x} cannot be read: {source}; was their object unloaded?"
    )]
    Unmapped {
        /// First address.
        start: u64,
        /// Bytes.
        len: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// `Mode::AllOrNone`, and some site held foreign bytes; nothing was written.
    #[error("{} site(s) hold foreign bytes and nothing was patched; first: {}", .0.len(), .0[0])]
    Foreign(Vec<Refusal>),
    /// A write or barrier failed in the middle, and what was done was undone. Where that failed too, sites
    /// run through the SIGTRAP handler for good.
    #[error(
        "phase {phase} failed: {source}; sites were put back, or are emulated and stay correct"
    )]
    Interrupted {
        /// Phase that failed.
        phase: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

fn names(threads: &[Thread]) -> String {
    let names: Vec<_> = threads
        .iter()
        .map(|t| format!("{} ({})", t.name, t.tid))
        .collect();
    names.join(", ")
}
