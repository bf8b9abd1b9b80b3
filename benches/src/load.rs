//! Threads that call sites while they are switched.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::scheme::Scheme;

/// Does `work` while `busy` threads call all `sites` over and over; it begins when all of them do.
pub fn under_load<T>(
    scheme: &dyn Scheme,
    sites: usize,
    busy: usize,
    work: impl FnOnce() -> T,
) -> T {
    let (stop, ready) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| {
                ready.fetch_add(1, Ordering::AcqRel);
                while !stop.load(Ordering::Relaxed) {
                    (0..sites).for_each(|site| scheme.call(site));
                }
            });
        }
        while ready.load(Ordering::Acquire) < busy {
            std::thread::yield_now();
        }
        let _stop = Stop(&stop);
        work()
    })
}

/// Ends the callers when dropped, also when what they were for panics.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
