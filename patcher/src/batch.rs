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
        let edits = &self.plan.edits[span.edits.clone()];
        let mut any = false;
        for (edit, alive) in edits.iter().zip(&mut self.alive[span.edits.clone()]) {
            if !*alive {
                continue;
            }
            let (expected, found) = (expected(edit), look(edit));
            if found == expected {
                any = true;
            } else {
                *alive = false;
                self.refused.push(refusal(edit, expected, found));
            }
        }
        any
    }

    /// Does `work` and counts its time as comparing.
    pub(crate) fn verifying<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let start = Instant::now();
        let result = work(self);
        self.verify += start.elapsed();
        result
    }

    /// Every edit, and whether it is still part of the session.
    pub(crate) fn edits(&self) -> impl Iterator<Item = (&'p Edit, bool)> {
        self.plan.edits.iter().zip(self.alive.iter().copied())
    }

    /// The sites that are left.
    pub(crate) fn living(&self) -> Vec<SiteId> {
        let mut living = Vec::with_capacity(self.alive.len() - self.refused.len());
        living.extend(
            self.edits()
                .filter(|(_, alive)| *alive)
                .map(|(e, _)| e.site),
        );
        living
    }
}

#[cold]
fn refusal(edit: &Edit, expected: Word, found: Word) -> Refusal {
    Refusal {
        site: edit.site,
        address: edit.address,
        expected,
        found,
    }
}
