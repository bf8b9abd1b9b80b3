//! Looks for a page that is writable and executable, all the time.

use hotsled_sys::maps;

use super::field::Field;
use crate::failure::fail;
use crate::random::Random;
use crate::tally::TALLY;

/// Looks until the field is closed.
pub fn run(field: &Field, _: Random) {
    while field.is_open() {
        match maps::read() {
            Ok(regions) => {
                if let Some(bad) = regions.iter().find(|r| r.write && r.execute) {
                    fail(format_args!("writable and executable: {bad:x?}"));
                }
            }
            Err(error) => fail(format_args!("{error}")),
        }
        TALLY.scans.add(1);
        std::thread::yield_now();
    }
}
