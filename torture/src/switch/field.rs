//! What the actors share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use hotsled_abi::{INT3, SiteId};
use hotsled_patcher::{Mode, PatchError, Patcher, Want};
use parking_lot::{Mutex, RwLock};

use super::way::Way;
use crate::failure::fail;
use crate::sleds::{self, SITES};

/// The patcher, the sites, and who takes part.
pub struct Field {
    /// How it writes.
    pub way: Way,
    /// The patcher under torture.
    pub patcher: Patcher,
    /// Numbers of the sites, in order.
    pub ids: Vec<SiteId>,
    /// Sites that hold a foreign breakpoint; changes only while no session runs.
    pub foreign: Mutex<BTreeSet<usize>>,
    /// Sessions share it; who must see memory at rest takes it alone.
    pub sessions: RwLock<()>,
    crew: Mutex<Vec<i32>>,
    open: AtomicBool,
}

impl Field {
    /// Adopts every sled.
    ///
    /// # Errors
    /// When this process cannot be patched.
    pub fn open(way: Way) -> Result<Self, PatchError> {
        sleds::prepare().map_err(PatchError::WritePath)?;
        let patcher = Patcher::new(way.options())?;
        let sites: Vec<_> = (0..SITES).map(sleds::new_site).collect();
        // SAFETY: the sleds and targets of this program's own assembly, which stay.
        let ids = unsafe { patcher.adopt(&sites) }?;
        Ok(Self {
            way,
            patcher,
            ids,
            foreign: Mutex::default(),
            sessions: RwLock::new(()),
            crew: Mutex::default(),
            open: AtomicBool::new(true),
        })
    }

    /// Whether to go on.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Ends every actor.
    pub fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Runs `work` as one of those whom signals hit.
    pub fn with_crew(&self, work: impl FnOnce()) {
        self.crew.lock().push(hotsled_sys::tid());
        work();
        self.crew.lock().retain(|&tid| tid != hotsled_sys::tid());
    }

    /// Those whom signals hit, now.
    pub fn crew(&self) -> Vec<i32> {
        self.crew.lock().clone()
    }

    /// What a site holds must be what its last session wrote. A breakpoint may be that of a session
    /// under way, so a site that looks wrong is looked at again while none is.
    pub fn inspect(&self, sites: &[usize]) {
        let wrong = |&&site: &&usize| !sleds::words(site).contains(&sleds::found(site));
        let suspects: Vec<usize> = sites.iter().filter(wrong).copied().collect();
        if suspects.is_empty() {
            return;
        }
        let _alone = self.sessions.write();
        suspects.iter().for_each(|&site| self.at_rest(site));
    }

    /// No session runs: memory must be what the patcher says.
    fn at_rest(&self, site: usize) {
        let state = self.patcher.state(self.ids[site]).unwrap_or(Want::Idle);
        let mut expected = sleds::words(site)[usize::from(state == Want::Jump)];
        if self.foreign.lock().contains(&site) {
            expected[0] = INT3;
        }
        let found = sleds::found(site);
        if found != expected {
            let leak = if found[0] == INT3 {
                "a leaked breakpoint: "
            } else {
                ""
            };
            fail(format_args!(
                "{leak}site {site} holds {found:02x?}, not {expected:02x?}"
            ));
        }
    }

    /// After the last actor: everything idles, and is what it was at first.
    pub fn settle(&self) {
        let all: Vec<usize> = (0..SITES).collect();
        all.iter().for_each(|&site| self.at_rest(site));
        let wishes: Vec<_> = self.ids.iter().map(|&id| (id, Want::Idle)).collect();
        if let Err(error) = self.patcher.switch(&wishes, Mode::AllOrNone) {
            fail(format_args!("the last session: {error}"));
        }
        all.iter().for_each(|&site| self.at_rest(site));
        let busy = all.iter().find(|&&site| sleds::check(site) != site as u32);
        if let Some(site) = busy {
            fail(format_args!("site {site} jumps after the last session"));
        }
    }
}
