//! Our own patcher, by either of its ways.

use hotsled_abi::SiteId;
use hotsled_patcher::{Cpu, Mode, NewSite, Options, Patcher, SingleStore, Want, WritePath};

use super::{Scheme, sleds::Sleds};
use crate::row::Parts;

/// Sleds switched by a session a batch.
pub struct Hotsled {
    patcher: Patcher,
    /// What is asked for to switch off, and on.
    wishes: [Vec<(SiteId, Want)>; 2],
    sleds: Sleds,
}

impl Hotsled {
    /// Breakpoints through `/proc/self/mem`, also where the patcher by itself would make an alias.
    pub fn by_breakpoints(sites: usize) -> Result<Self, String> {
        Self::with(sites, WritePath::ProcMem, SingleStore::Never)
    }

    /// Single stores through an alias.
    pub fn by_stores(sites: usize) -> Result<Self, String> {
        let cpu = Cpu::here();
        if !cpu.is_qualified() {
            return Err(format!("single stores are not qualified on {cpu}"));
        }
        Self::with(sites, WritePath::Alias, SingleStore::Qualified)
    }

    fn with(sites: usize, path: WritePath, single_store: SingleStore) -> Result<Self, String> {
        let sleds = Sleds::new(sites)?;
        let new = sleds.sites().map(|i| NewSite {
            sled: sleds.sled(i),
            target: sleds.target(),
        });
        let new: Vec<_> = new.collect();
        let options = Options {
            path,
            single_store,
            ..Options::default()
        };
        let patcher = Patcher::new(options).map_err(|e| e.to_string())?;
        // SAFETY: every entry is sled and `ret`, every target a `ret`; the process ends with its one scheme.
        let ids = unsafe { patcher.adopt(&new) }.map_err(|e| e.to_string())?;
        let wishes = |want| ids.iter().map(|id| (*id, want)).collect();
        Ok(Self {
            patcher,
            wishes: [Want::Idle, Want::Jump].map(wishes),
            sleds,
        })
    }
}

impl Scheme for Hotsled {
    fn call(&self, site: usize) {
        self.sleds.call(site);
    }

    fn switch(&self, on: bool) -> Option<Parts> {
        let wishes = &self.wishes[usize::from(on)];
        let report = self.patcher.switch(wishes, Mode::AllOrNone);
        let report = report.expect("nobody else touches the sleds");
        assert_eq!(report.switched.len(), wishes.len());
        Some(Parts {
            verify_us: report.times.verify_us,
            scan_us: report.times.scan_us,
            plan_us: report.times.plan_us,
            syncs: report.syncs,
        })
    }
}
