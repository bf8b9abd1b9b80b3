//! Threads that call sleds: many once, and some so often that the core holds them decoded.

use super::field::Field;
use crate::random::Random;
use crate::sleds::{self, NEW, SITES};
use crate::tally::TALLY;

/// Calls until the field is closed.
pub fn run(field: &Field, mut random: Random) {
    while field.is_open() {
        some(&mut random);
    }
}

/// A few thousand calls.
pub fn some(random: &mut Random) {
    let mut new = 0;
    for _ in 0..1024 {
        new += u64::from(sleds::check(random.below(SITES)) & NEW != 0);
    }
    let hot = random.below(SITES);
    for _ in 0..1024 {
        new += u64::from(sleds::check(hot) & NEW != 0);
    }
    TALLY.new.add(new);
    TALLY.old.add(2048 - new);
}
