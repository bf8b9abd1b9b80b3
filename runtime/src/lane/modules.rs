//! What one device has code for.

use std::sync::atomic::{AtomicU64, Ordering};

use hotsled_abi::SiteId;
use hotsled_link::ModuleId;

const UNTRIED: u64 = 0;
const REFUSED: u64 = 1;
const FIRST: u64 = 2;

/// The module of each site; grows while the lane runs, and is read without a lock.
#[derive(Debug, Default)]
pub(crate) struct Modules(boxcar::Vec<AtomicU64>);

impl Modules {
    /// The module of a site; `None` stays on the CPU.
    pub(crate) fn get(&self, site: SiteId) -> Option<ModuleId> {
        let word = self.word(site).checked_sub(FIRST)?;
        Some(ModuleId(word as u32))
    }

    /// Whether the device was asked for a site's code.
    pub(crate) fn tried(&self, site: SiteId) -> bool {
        self.word(site) != UNTRIED
    }

    /// What the device answered; `None` for a refusal. One thread at a time sets.
    pub(crate) fn set(&self, site: SiteId, module: Option<ModuleId>) {
        let at = site.0 as usize;
        while self.0.count() <= at {
            self.0.push(AtomicU64::new(UNTRIED));
        }
        let word = module.map_or(REFUSED, |m| FIRST + u64::from(m.0));
        self.0[at].store(word, Ordering::Release);
    }

    fn word(&self, site: SiteId) -> u64 {
        let word = self.0.get(site.0 as usize);
        word.map_or(UNTRIED, |w| w.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untried_refused_and_lowered_are_told_apart() {
        let modules = Modules::default();
        modules.set(SiteId(3), Some(ModuleId(0)));
        modules.set(SiteId(1), None);
        let tried: Vec<_> = (0..5).map(|n| modules.tried(SiteId(n))).collect();
        assert_eq!(tried, [false, true, false, true, false]);
        assert_eq!(modules.get(SiteId(3)), Some(ModuleId(0)));
        assert!(
            [0, 1, 2, 4]
                .iter()
                .all(|&n| modules.get(SiteId(n)).is_none())
        );
    }
}
