//! Ways to switch many sites between two bodies while threads call them.

mod hotsled;
mod mprotect;
mod pointers;
mod sleds;
mod static_keys;
mod stopped;

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::row::Parts;

/// Sites that are called by number and switched together.
pub trait Scheme: Sync {
    /// Calls one site.
    fn call(&self, site: usize);

    /// Switches all of them, and tells the parts of the work where the scheme knows them.
    fn switch(&self, on: bool) -> Option<Parts>;
}

/// A scheme by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// Breakpoints through `/proc/self/mem`.
    Hotsled,
    /// Single stores through an alias.
    HotsledFast,
    /// LLVM XRay, whole image; `crate::xray` measures it in a program of its own.
    Xray,
    /// The crate `static-keys`.
    StaticKeys,
    /// A function pointer a site.
    AtomicPtr,
    /// The crate `arc-swap`.
    ArcSwap,
    /// Pages made writable and executable, a site at a time.
    MprotectPerSite,
    /// Every thread stopped by a signal while bytes are written.
    StopTheWorld,
}

impl Name {
    /// All of them, in the order of rows.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Why so many sites are not measured, if they are not.
    pub fn cap(self, sites: usize) -> Option<String> {
        let why = match self {
            Self::StaticKeys => "a copied page and mremap a site",
            Self::MprotectPerSite => "two mprotect calls a site",
            _ => return None,
        };
        (sites > MOST_OF_SLOW).then(|| format!("{why}: more than {MOST_OF_SLOW} take too long"))
    }

    /// Makes the sites.
    ///
    /// # Errors
    /// Why this machine cannot run the scheme.
    pub fn make(self, sites: usize) -> Result<Box<dyn Scheme>, String> {
        Ok(match self {
            Self::Hotsled => Box::new(hotsled::Hotsled::by_breakpoints(sites)?),
            Self::HotsledFast => Box::new(hotsled::Hotsled::by_stores(sites)?),
            Self::Xray => return Err("XRay runs in a program of its own".into()),
            Self::StaticKeys => Box::new(static_keys::StaticKeys::new(sites)),
            Self::AtomicPtr => Box::new(pointers::AtomicPtrs::new(sites)),
            Self::ArcSwap => Box::new(pointers::ArcSwaps::new(sites)),
            Self::MprotectPerSite => Box::new(mprotect::PerSite::new(sites)?),
            Self::StopTheWorld => Box::new(stopped::StopTheWorld::new(sites)?),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no name is hidden");
        f.write_str(value.get_name())
    }
}

/// Above this, what needs system calls a site takes minutes under load.
const MOST_OF_SLOW: usize = 20_000;
