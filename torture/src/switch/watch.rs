//! Looks for pages that could be written and run, all the time.

use hotsled_sys::maps::{self, Region};

use super::field::Field;
use crate::failure::fail;
use crate::random::Random;
use crate::tally::TALLY;

/// Looks until the field is closed.
pub fn run(field: &Field, mut random: Random) {
    while field.is_open() {
        if random.below(8) == 0 {
            let _alone = field.sessions.write();
            scan(|r| r.write && is_text(r), "writable while no session runs");
        }
        scan(|r| r.write && r.execute, "writable and executable");
        TALLY.scans.add(1);
        std::thread::yield_now();
    }
}

/// Memory that also lies in the patcher's text pages.
fn is_text(region: &Region) -> bool {
    region.shared && region.name.starts_with("/memfd:hotsled-text")
}

fn scan(bad: impl Fn(&Region) -> bool, what: &str) {
    match maps::read() {
        Ok(regions) => {
            if let Some(region) = regions.iter().find(|r| bad(r)) {
                fail(format_args!("{what}: {region:x?}"));
            }
        }
        Err(error) => fail(format_args!("/proc/self/maps: {error}")),
    }
}
