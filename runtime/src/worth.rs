//! From which size on a call repays the way to a device.

use std::time::Duration;

use hotsled_link::DeviceInfo;

use crate::cell::SectionCell;

/// A call is offered when the CPU would take this many times as long as the empty way to the device
/// and back.
const FACTOR: f64 = 4.0;
/// Elements while the section's cost on the CPU is not measured.
const UNMEASURED: u64 = 16 << 10;

/// Sets the section's measured size from its cost on the CPU and a device's round trip.
pub(crate) fn update(cell: &SectionCell, round_trip: Duration, info: &DeviceInfo) {
    cell.set_device_from(Some(repaying(cell, round_trip, info)));
}

/// Corrects that size while the section is offered.
pub(crate) fn correct(cell: &SectionCell, round_trip: Duration, info: &DeviceInfo) {
    cell.correct_device_from(repaying(cell, round_trip, info));
}

fn repaying(cell: &SectionCell, round_trip: Duration, info: &DeviceInfo) -> u64 {
    let way = round_trip + 3 * Duration::from_nanos(info.latency_ns); // in, launch, out
    let elements = match cell.ns_per_element() {
        Some(ns) => (way.as_nanos() as f64 * FACTOR / ns.max(1e-3)) as u64,
        None => UNMEASURED,
    };
    elements.max(1)
}
