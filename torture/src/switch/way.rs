//! How the patcher writes.

use clap::ValueEnum;
use hotsled_patcher::{Options, SingleStore, WritePath};

/// One way of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Breakpoints through `/proc/self/mem`
    Mem,
    /// Breakpoints through a memfd alias
    Alias,
    /// Single stores through a memfd alias
    Store,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Mem, Self::Alias, Self::Store];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mem => "mem",
            Self::Alias => "alias",
            Self::Store => "store",
        }
    }

    /// What the patcher takes.
    pub fn options(self) -> Options {
        let (path, single_store) = match self {
            Self::Mem => (WritePath::ProcMem, SingleStore::Never),
            Self::Alias => (WritePath::Alias, SingleStore::Never),
            Self::Store => (WritePath::Alias, SingleStore::Always),
        };
        Options {
            path,
            single_store,
            ..Options::default()
        }
    }

    /// Whether a debugger can write sleds: the kernel lets nobody write shared text by force.
    pub fn takes_breakpoints(self) -> bool {
        self == Self::Mem
    }
}
