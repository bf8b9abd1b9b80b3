//! Where dispatch hands a call to a lane: taken at once or not at all.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use hotsled_abi::SiteId;
use parking_lot::{Condvar, Mutex};

use crate::call::Call;
use crate::lane::Modules;

const FREE: u8 = 0;
const BUSY: u8 = 1;
const CLOSED: u8 = 2;

/// A call that a lane works on, from a first range that dispatch gave it. Holding it is being inside
/// the call's gate.
pub(crate) struct Job {
    pub call: Arc<Call>,
    pub site: SiteId,
    pub first: Range<u64>,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.call.gate().leave();
    }
}

/// Free, busy with one call, or closed for good.
pub(crate) struct Counter {
    state: AtomicU8,
    modules: Arc<Modules>,
    handed: Mutex<Option<Job>>,
    bell: Condvar,
}

impl Counter {
    pub(crate) fn new(modules: Arc<Modules>) -> Self {
        Self {
            state: AtomicU8::new(FREE),
            modules,
            handed: Mutex::new(None),
            bell: Condvar::new(),
        }
    }

    /// Whether the device has code for a site.
    pub(crate) fn accepts(&self, site: SiteId) -> bool {
        self.modules.get(site).is_some()
    }

    /// Hands in a range of a call; false if the lane is busy, closed, or has no code for it.
    ///
    /// A job that is handed in is taken: `close` and the hand-in exclude each other by the lock, and
    /// `wait` looks for a job before it looks whether the counter is closed.
    pub(crate) fn try_hand_in(&self, site: SiteId, call: &Arc<Call>, first: Range<u64>) -> bool {
        if !self.accepts(site) || !self.transition(FREE, BUSY) {
            return false;
        }
        if !call.gate().add() {
            self.finish();
            return false;
        }
        let mut handed = self.handed.lock();
        if self.is_closed() {
            // `close` came after our transition: the lane may be gone, and would never take the job.
            call.gate().leave();
            return false;
        }
        *handed = Some(Job {
            call: Arc::clone(call),
            site,
            first,
        });
        self.bell.notify_one();
        true
    }

    /// The next job; `None` once closed and empty.
    pub(crate) fn wait(&self) -> Option<Job> {
        let mut handed = self.handed.lock();
        loop {
            if let Some(job) = handed.take() {
                return Some(job);
            }
            if self.is_closed() {
                return None;
            }
            self.bell.wait(&mut handed);
        }
    }

    /// The lane is done with its call.
    pub(crate) fn finish(&self) {
        self.transition(BUSY, FREE);
    }

    /// No job is taken any more.
    pub(crate) fn close(&self) {
        let _handed = self.handed.lock();
        self.state.store(CLOSED, Ordering::Release);
        self.bell.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    fn transition(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}
