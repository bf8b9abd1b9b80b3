//! The atomics of modelled protocols, chosen once.

pub(crate) use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use parking_lot::Mutex;
