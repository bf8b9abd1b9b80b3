//! The threads that help callers.

use std::sync::{Arc, OnceLock};

use hotsled_sys::fork::OwnerMark;
use parking_lot::RwLock;
use rayon_core::{ThreadPool, ThreadPoolBuilder};

static POOL: RwLock<Option<Arc<ThreadPool>>> = RwLock::new(None);

/// Made before the first pool; `None` where the kernel cannot mark a page.
static OWNER: OnceLock<Option<OwnerMark>> = OnceLock::new();

/// Whether this process is a fork that has the pool, but none of its threads and perhaps a lock that one
/// of them held. A section then runs in its caller alone.
pub(crate) fn stayed_behind() -> bool {
    matches!(OWNER.get(), Some(Some(mark)) if !mark.is_owner())
}

/// The pool that helps; built on first use with one thread per core unless the engine chose another.
pub(crate) fn pool() -> Arc<ThreadPool> {
    if let Some(pool) = POOL.read().as_ref() {
        return pool.clone();
    }
    POOL.write()
        .get_or_insert_with(|| Arc::new(build(0)))
        .clone()
}

/// Uses the caller's own pool from the next call on.
pub(crate) fn use_pool(pool: Arc<ThreadPool>) {
    mark();
    *POOL.write() = Some(pool);
}

/// Uses a pool of `count` threads from the next call on; calls count as one worker themselves.
pub(crate) fn set_count(count: usize) {
    use_pool(Arc::new(build(count)));
}

fn mark() {
    OWNER.get_or_init(|| OwnerMark::new().ok());
}

fn build(count: usize) -> ThreadPool {
    mark();
    ThreadPoolBuilder::new()
        .num_threads(count)
        .thread_name(|n| format!("hotsled-cpu-{n}"))
        .build()
        .expect("threads for the worker pool")
}
