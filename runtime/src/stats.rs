//! Counters of what ran where.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A counter that threads add to.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a section's latest call ran on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuReason {
    /// No device is bound.
    NoDevice,
    /// Pinned by its attribute or by configuration.
    Pinned,
    /// The engine is switched off.
    Disabled,
    /// The call was shorter than what repays the way to the device.
    BelowMeasuredSize,
    /// Calls as long as this one took longer with the device than without; it is tried again now and then.
    NotRepaid,
    /// Every device was busy with other calls.
    DevicesBusy,
    /// No bound device could lower it.
    Refused,
    /// The device went while the call ran.
    DeviceLost,
}

impl CpuReason {
    const ALL: [Self; 8] = [
        Self::NoDevice,
        Self::Pinned,
        Self::Disabled,
        Self::BelowMeasuredSize,
        Self::NotRepaid,
        Self::DevicesBusy,
        Self::Refused,
        Self::DeviceLost,
    ];
}

impl std::fmt::Display for CpuReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoDevice => "no device is bound",
            Self::Pinned => "pinned to the CPU",
            Self::Disabled => "the engine is switched off",
            Self::BelowMeasuredSize => "calls are shorter than what repays the way to the device",
            Self::NotRepaid => {
                "calls took longer with the device than without; now and then one tries again"
            }
            Self::DevicesBusy => "every device was busy",
            Self::Refused => "no bound device could lower it",
            Self::DeviceLost => "the device went while the call ran",
        })
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Live counters of one section.
        #[derive(Debug)]
        pub(crate) struct SectionStats { $(pub(crate) $name: Counter,)* reason: AtomicU8 }

        impl SectionStats {
            pub(crate) const fn new() -> Self {
                Self { $($name: Counter::new(),)* reason: AtomicU8::new(0) }
            }

            /// The counters as they are now, each by itself.
            pub(crate) fn snapshot(&self) -> SectionCounts {
                SectionCounts { $($name: self.$name.get()),* }
            }
        }

        /// Counters of one section, or of all together.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, miniserde::Serialize, miniserde::Deserialize)]
        pub struct SectionCounts { $($(#[$doc])* pub $name: u64),* }

        impl std::ops::AddAssign for SectionCounts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

impl SectionStats {
    /// Why the latest grain that asked for a device ran on the CPU.
    pub(crate) fn set_reason(&self, reason: CpuReason) {
        self.reason.store(reason as u8, Ordering::Relaxed);
    }

    pub(crate) fn reason(&self) -> CpuReason {
        let known = CpuReason::ALL
            .into_iter()
            .find(|r| *r as u8 == self.reason.load(Ordering::Relaxed));
        known.unwrap_or(CpuReason::NoDevice)
    }
}

counters! {
    /// Calls that returned or panicked.
    calls,
    /// Calls of which no device committed a chunk.
    calls_cpu,
    /// Calls of which a device committed at least one chunk.
    calls_device,
    /// Chunks committed by devices.
    chunks_device,
    /// Chunks lost with their device and re-run on the CPU.
    chunks_replayed,
    /// Chunks in which a device met a fault, re-run on the CPU.
    chunks_faulted,
    /// Chunks that a device computed and the CPU checked before commit.
    chunks_verified,
    /// Indices computed by the CPU.
    elements_cpu,
    /// Indices computed by devices.
    elements_device,
    /// Bytes sent to devices.
    bytes_in,
    /// Bytes fetched from devices.
    bytes_out,
}
