//! The sites of a session that are still part of it.

use std::time::{Duration, Instant};

use hotsled_abi::SiteId;

use crate::Refusal;
use crate::plan::{Edit, Plan, Span};
use crate::sites::Word;

/// A plan under way: sites that hold what they should not are struck out, the others go on.
#[derive(Debug)]
pub(crate) struct Batch<'p> {
    pub plan: &'p Plan,
    alive: Vec<bool>,
    pub refused: Vec<Refusal>,
    /// Time spent on comparing alone.
    pub verify: Duration,
}

impl<'p> Batch<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            alive: vec![true; plan.edits.len()],
            refused: Vec::new(),
            verify: Duration::ZERO,
        }
    }

    /// Looks at every living site of a span and strikes out those that are not as expected; whether any
    /// is left.
    pub(crate) fn sift(
        &mut self,
        span: &Span,
        expected: impl Fn(&Edit) -> Word,
        mut look: impl FnMut(&Edit) -> Word,
    ) -> bool {
        let mut any = false;
        for at in span.edits.clone() {
            if !self.alive[at] {
                continue;
            }
            let edit = &self.plan.edits[at];
            let (expected, found) = (expected(edit), look(edit));
            self.alive[at] = found == expected;
            any |= found == expected;
            if found != expected {
                self.refuse(at, expected, found);
            }
        }
        any
    }

    #[cold]
    fn refuse(&mut self, at: usize, expected: Word, found: Word) {
        let Edit { site, address, .. } = self.plan.edits[at];
        self.refused.push(Refusal {
            site,
            address,
            expected,
            found,
        });
    }

    /// Does `work` and counts its time as comparing.
    pub(crate) fn verifying<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let start = Instant::now();
        let result = work(self);
        self.verify += start.elapsed();
        result
    }

    /// Whether edit number `at` is still part of the session.
    pub(crate) fn lives(&self, at: usize) -> bool {
        self.alive[at]
    }

    /// The sites that are left.
    pub(crate) fn living(&self) -> Vec<SiteId> {
        let edits = self.plan.edits.iter().zip(&self.alive);
        edits
            .filter(|(_, alive)| **alive)
            .map(|(e, _)| e.site)
            .collect()
    }
}
