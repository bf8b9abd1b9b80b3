//! Faults injected on purpose, at named points.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Where a host misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Announces an unknown protocol version.
    BadVersion,
    /// Greets with garbage.
    GarbageGreeting,
    /// Closes instead of greeting.
    CloseEarly,
    /// Never greets.
    Silent,
    /// Refuses to lower anything.
    RefuseLowering,
    /// Answers a request to lower with garbage.
    GarbageLowering,
    /// Stops answering at a launch.
    HangAtLaunch,
    /// Dies at a launch.
    DieAtLaunch,
    /// Dies at a copy to the device.
    DieAtCopyIn,
    /// Dies at a copy from the device.
    DieAtCopyOut,
    /// Answers a fence with a status that does not exist.
    GarbageFence,
    /// Flips a bit of what it copies out.
    CorruptResult,
    /// The driver reports the device as lost at a copy to it.
    LostAtCopyIn,
    /// The driver reports the device as lost at a launch.
    LostAtLaunch,
    /// The driver reports the device as lost at a copy from it.
    LostAtCopyOut,
}

const NAMES: [(&str, Point); 15] = [
    ("bad-version", Point::BadVersion),
    ("garbage-greeting", Point::GarbageGreeting),
    ("close-early", Point::CloseEarly),
    ("silent", Point::Silent),
    ("refuse-lowering", Point::RefuseLowering),
    ("garbage-lowering", Point::GarbageLowering),
    ("hang-at-launch", Point::HangAtLaunch),
    ("die-at-launch", Point::DieAtLaunch),
    ("die-at-copy-in", Point::DieAtCopyIn),
    ("die-at-copy-out", Point::DieAtCopyOut),
    ("garbage-fence", Point::GarbageFence),
    ("corrupt-result", Point::CorruptResult),
    ("lost-at-copy-in", Point::LostAtCopyIn),
    ("lost-at-launch", Point::LostAtLaunch),
    ("lost-at-copy-out", Point::LostAtCopyOut),
];

/// `POINT` or `POINT:N`: misbehave at the N-th time the point is reached (from 1), and after.
#[derive(Debug)]
pub struct Fault {
    point: Point,
    from: u64,
    reached: AtomicU64,
}

impl Fault {
    /// Whether to misbehave at `point` now.
    pub fn strikes(&self, point: Point) -> bool {
        self.point == point && self.reached.fetch_add(1, Ordering::Relaxed) + 1 >= self.from
    }
}

/// What a host was told to do wrong, if anything; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Faults(Arc<Option<Fault>>);

impl Faults {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self(Arc::new(fault))
    }

    /// Whether to misbehave at `point` now.
    pub(crate) fn strike(&self, point: Point) -> bool {
        self.0.as_ref().as_ref().is_some_and(|f| f.strikes(point))
    }
}

/// Never answers again.
pub(crate) fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

impl Clone for Fault {
    fn clone(&self) -> Self {
        let reached = AtomicU64::new(self.reached.load(Ordering::Relaxed));
        Self {
            point: self.point,
            from: self.from,
            reached,
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, from) = text.split_once(':').unwrap_or((text, "1"));
        let point = NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, point)| *point);
        let names = || NAMES.map(|(name, _)| name).join(", ");
        let point =
            point.ok_or_else(|| format!("{name:?} is no fault point; there are {}", names()))?;
        let from = from.parse().map_err(|_| format!("{from:?} is no count"))?;
        Ok(Self {
            point,
            from,
            reached: AtomicU64::new(0),
        })
    }
}
