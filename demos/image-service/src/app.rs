//! What every request shares.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Picture;
use crate::accelerator::Accelerator;
use crate::gate::Gate;
use crate::meter::Meter;
use crate::view::Sample;

/// The service's state.
pub struct App {
    /// When the service started; all times are counted from here.
    pub start: Instant,
    /// The built-in picture.
    pub sample: Arc<Picture>,
    /// The engine and its devices.
    pub accelerator: Accelerator,
    /// Counts of requests.
    pub meter: Meter,
    /// Bound on running filters.
    pub gate: Gate,
    /// Throughput of the last two minutes.
    pub samples: Mutex<VecDeque<Sample>>,
    /// The latest snapshot as JSON; closed when the service stops.
    pub live: watch::Receiver<Arc<str>>,
}
