//! What a caller chooses, and what he is told.

use std::fmt;
use std::time::Duration;

use hotsled_abi::SiteId;

use crate::{Cpu, Refusal};

/// What to do when some sites hold foreign bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Patch nothing and fail.
    AllOrNone,
    /// Patch the others and report.
    WhatYouCan,
}

/// What to do when a debugger is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traced {
    /// Refuse: its breakpoints and ours would overwrite each other.
    #[default]
    Refuse,
    /// Patch all the same.
    Patch,
}

/// How text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WritePath {
    /// `/proc/self/mem`; an alias where that does not work, for very many sites, and where a thread blocks
    /// SIGTRAP and single stores are allowed.
    #[default]
    Auto,
    /// `/proc/self/mem` alone: pages stay private and file-backed, for forks, debuggers, perf and uprobes.
    ProcMem,
    /// A memfd alias of every page that holds a sled.
    Alias,
}

/// Whether one aligned store may replace a sled, where its memory has an alias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SingleStore {
    /// On CPUs whose maker promises that it works ([`Cpu::is_qualified`]).
    #[default]
    Qualified,
    /// Never: breakpoints only.
    Never,
    /// On any CPU, at the caller's risk.
    Always,
}

/// Choices of a patcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Under a debugger.
    pub traced: Traced,
    /// How text is written.
    pub path: WritePath,
    /// Whether single stores are used.
    pub single_store: SingleStore,
}

impl Options {
    /// What [`Options::default`] gives, for statics.
    pub const DEFAULT: Self = Self {
        traced: Traced::Refuse,
        path: WritePath::Auto,
        single_store: SingleStore::Qualified,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a session changed live code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Breakpoint, tail, first byte, with a core sync after each.
    Breakpoint,
    /// One aligned store and one core sync.
    SingleStore,
}

/// What a session did. Every site that was named is in exactly one of the three lists.
#[derive(Debug, Default)]
pub struct Report {
    /// Sites that changed.
    pub switched: Vec<SiteId>,
    /// Sites that were as wanted already.
    pub already: Vec<SiteId>,
    /// Sites that held foreign bytes and were left alone.
    pub refused: Vec<Refusal>,
    /// How; `None` when there was nothing to change.
    pub protocol: Option<Protocol>,
    /// What it took.
    pub times: Times,
    /// Core syncs issued.
    pub syncs: u32,
    /// Whether somebody had replaced our SIGTRAP handler, so that it was installed anew.
    pub handler_reinstalled: bool,
    /// The process that traces this one at the end of the session: with [`Traced::Refuse`] it came in the
    /// middle, and the next session is refused.
    pub tracer: Option<i32>,
}

/// Microseconds of a session's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Working out what to write.
    pub plan_us: f64,
    /// Looking for a tracer, for threads that block SIGTRAP, and at the handler.
    pub scan_us: f64,
    /// Comparing sites before, between and after the writes. An alias compares and writes in one step,
    /// which counts as writing.
    pub verify_us: f64,
    /// Writing and syncing: breakpoints, tails, first bytes; or the single stores, and twice nothing.
    pub phase_us: [f64; 3],
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// How a process is patched.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Sites that are adopted.
    pub sites: usize,
    /// How many of them are reached through an alias.
    pub aliased: usize,
    /// Maker and family of the CPU.
    pub cpu: Cpu,
    /// Whether single stores are used where a site has an alias.
    pub single_store: bool,
    /// Why `/proc/self/mem` is not used.
    pub no_mem: Option<String>,
    /// Why pages cannot be given an alias.
    pub no_alias: Option<String>,
    /// Whether the SIGTRAP handler had to be installed anew; once more, and breakpoints are refused.
    pub handler_reinstalled: bool,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let aliased = self.aliased > 0 || self.no_mem.is_some();
        if !aliased || self.aliased < self.sites {
            f.write_str("breakpoints through /proc/self/mem")?;
        }
        if aliased && self.aliased < self.sites {
            write!(f, ", and for {} of {} sites ", self.aliased, self.sites)?;
        }
        if aliased {
            let how = if self.single_store {
                "single stores"
            } else {
                "breakpoints"
            };
            write!(f, "{how} through a memfd alias ({})", self.cpu)?;
        }
        if let Some(why) = &self.no_mem {
            write!(f, "; /proc/self/mem does not work: {why}")?;
        }
        if self.handler_reinstalled {
            f.write_str("; the SIGTRAP handler was replaced and installed anew")?;
        }
        Ok(())
    }
}
