//! Threads that come, call sleds and go; while they come they block every signal.

use super::callers;
use super::field::Field;
use crate::random::Random;
use crate::tally::TALLY;

/// Starts threads until the field is closed.
pub fn run(field: &Field, mut random: Random) {
    while field.is_open() {
        std::thread::scope(|scope| {
            scope.spawn(|| callers::some(&mut random));
        });
        TALLY.threads.add(1);
    }
}
