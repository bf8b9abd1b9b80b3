//! The shared position of a call.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hands out `start..end` once, in ascending order.
#[derive(Debug)]
pub(crate) struct Cursor {
    next: AtomicU64,
    end: u64,
}

impl Cursor {
    pub(crate) fn new(range: Range<u64>) -> Self {
        Self {
            next: AtomicU64::new(range.start),
            end: range.end,
        }
    }

    /// Takes up to `count` indices.
    pub(crate) fn take(&self, count: u64) -> Option<Range<u64>> {
        // Relaxed: the value itself is all that is shared; results are published by the gate.
        let taken = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                (next < self.end).then(|| next.saturating_add(count).min(self.end))
            });
        let start = taken.ok()?;
        Some(start..start.saturating_add(count).min(self.end))
    }

    /// Takes up to `count` indices only if they start at `at`, so that they extend a range that
    /// ends there.
    pub(crate) fn take_at(&self, at: u64, count: u64) -> Option<Range<u64>> {
        let end = at.saturating_add(count).min(self.end);
        if at >= end {
            return None;
        }
        self.next
            .compare_exchange(at, end, Ordering::Relaxed, Ordering::Relaxed)
            .ok()
            .map(|_| at..end)
    }

    /// Indices nobody has taken yet.
    pub(crate) fn left(&self) -> u64 {
        self.end.saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Nobody takes anything any more.
    pub(crate) fn close(&self) {
        self.next.fetch_max(self.end, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_is_handed_out_once_in_order() {
        let cursor = Cursor::new(3..11);
        assert_eq!(cursor.take(4), Some(3..7));
        assert_eq!(cursor.take_at(3, 9), None);
        assert_eq!(cursor.take_at(7, 2), Some(7..9));
        assert_eq!(cursor.take(100), Some(9..11));
        assert_eq!(
            (cursor.take(1), cursor.take_at(11, 1), cursor.left()),
            (None, None, 0)
        );
    }

    #[test]
    fn a_closed_cursor_hands_out_nothing() {
        let cursor = Cursor::new(0..100);
        cursor.close();
        assert_eq!((cursor.take(1), cursor.left()), (None, 0));
    }

    #[test]
    fn the_end_of_the_number_range_does_not_wrap() {
        let cursor = Cursor::new(u64::MAX - 2..u64::MAX);
        assert_eq!(cursor.take(u64::MAX), Some(u64::MAX - 2..u64::MAX));
    }
}
