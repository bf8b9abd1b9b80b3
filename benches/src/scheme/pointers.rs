//! No patching at all: a site loads what it calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use arc_swap::ArcSwap;

use super::Scheme;
use crate::row::Parts;

type Body = extern "C" fn();

extern "C" fn idle() {
    std::hint::black_box(0);
}

extern "C" fn active() {
    std::hint::black_box(1);
}

fn body(on: bool) -> Body {
    if on { active } else { idle }
}

/// A plain function pointer a site.
pub struct AtomicPtrs(Vec<AtomicPtr<()>>);

impl AtomicPtrs {
    pub fn new(sites: usize) -> Self {
        let idle = || AtomicPtr::new(body(false) as *mut ());
        Self(std::iter::repeat_with(idle).take(sites).collect())
    }
}

impl Scheme for AtomicPtrs {
    fn call(&self, site: usize) {
        let body = self.0[site].load(Ordering::Acquire);
        // SAFETY: only functions of this type are ever stored.
        let body = unsafe { std::mem::transmute::<*mut (), Body>(body) };
        body();
    }

    fn switch(&self, on: bool) -> Option<Parts> {
        let body = body(on) as *mut ();
        self.0
            .iter()
            .for_each(|site| site.store(body, Ordering::Release));
        None
    }
}

/// An [`ArcSwap`] a site; all of them share one value in either state.
pub struct ArcSwaps {
    sites: Vec<ArcSwap<Body>>,
    bodies: [Arc<Body>; 2],
}

impl ArcSwaps {
    pub fn new(sites: usize) -> Self {
        let bodies = [false, true].map(|on| Arc::new(body(on)));
        let idle = || ArcSwap::new(Arc::clone(&bodies[0]));
        Self {
            sites: std::iter::repeat_with(idle).take(sites).collect(),
            bodies,
        }
    }
}

impl Scheme for ArcSwaps {
    fn call(&self, site: usize) {
        (self.sites[site].load())();
    }

    fn switch(&self, on: bool) -> Option<Parts> {
        let body = &self.bodies[usize::from(on)];
        self.sites.iter().for_each(|s| s.store(Arc::clone(body)));
        None
    }
}
