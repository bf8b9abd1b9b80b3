//! The sites of a session that are still part of it.

use std::time::{Duration, Instant};

use hotsled_abi::SiteId;

use crate::Refusal;
use crate::image::Image;
use crate::plan::{Edit, Plan, Span, State};
use crate::sites::Word;

/// A plan under way: sites that hold what they should not are struck out, the others go on.
#[derive(Debug)]
pub(crate) struct Batch<'p> {
    pub plan: &'p Plan,
    alive: Vec<bool>,
    /// What spans of private pages are known to hold, by their number; empty ones for the others.
    pub images: Vec<Image>,
    pub refused: Vec<Refusal>,
    /// Time spent on comparing alone.
    pub verify: Duration,
}

/// Memory of one session for the next, so that it takes no fresh pages: their first touch costs more than
/// what a session does with them.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    alive: Vec<bool>,
    images: Vec<Image>,
}

impl<'p> Batch<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        Self::with(plan, Spare::default())
    }

    /// A new one in the memory of an old one.
    pub(crate) fn with(plan: &'p Plan, spare: Spare) -> Self {
        let Spare {
            mut alive,
            mut images,
        } = spare;
        alive.clear();
        alive.resize(plan.edits.len(), true);
        images.iter_mut().for_each(Image::clear);
        images.resize_with(plan.spans.len(), Image::default);
        Self {
            plan,
            alive,
            images,
            refused: Vec::new(),
            verify: Duration::ZERO,
        }
    }

    /// What the next session may use.
    pub(crate) fn spare(self) -> Spare {
        Spare {
            alive: self.alive,
            images: self.images,
        }
    }

    /// Every edit of a span, if none of the session was struck out so far.
    pub(crate) fn untouched(&self, span: &Span) -> Option<&'p [Edit]> {
        let edits = &self.plan.edits[span.edits.clone()];
        self.refused.is_empty().then_some(edits)
    }

    /// Looks at every living site of a span and strikes out those that are not as expected; whether any
    /// is left.
    pub(crate) fn sift(
        &mut self,
        span: &Span,
        expected: State,
        mut look: impl FnMut(&Edit) -> Word,
    ) -> bool {
        let edits = &self.plan.edits[span.edits.clone()];
        let mut any = false;
        for (edit, alive) in edits.iter().zip(&mut self.alive[span.edits.clone()]) {
            if !*alive {
                continue;
            }
            let (expected, found) = (edit.word(expected), look(edit));
            if found == expected {
                any = true;
            } else {
                *alive = false;
                strike(&mut self.refused, edit, expected, found);
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

    /// The edits of a span that are still part of the session.
    pub(crate) fn living_in(&self, span: &Span) -> impl Iterator<Item = &'p Edit> {
        let edits = self.plan.edits[span.edits.clone()].iter();
        let alive = &self.alive[span.edits.clone()];
        edits
            .zip(alive)
            .filter_map(|(e, &alive)| alive.then_some(e))
    }

    /// Every edit, and whether it is still part of the session.
    pub(crate) fn edits(&self) -> impl Iterator<Item = (&'p Edit, bool)> {
        self.plan.edits.iter().zip(self.alive.iter().copied())
    }

    /// The sites that are left.
    pub(crate) fn living(&self) -> Vec<SiteId> {
        if self.refused.is_empty() {
            return self.plan.edits.iter().map(|e| e.site).collect();
        }
        let living = self.edits().filter(|(_, alive)| *alive);
        living.map(|(e, _)| e.site).collect()
    }
}

/// Apart, so that the loop over all sites has registers enough.
#[cold]
#[inline(never)]
fn strike(refused: &mut Vec<Refusal>, edit: &Edit, expected: Word, found: Word) {
    refused.push(Refusal {
        site: edit.site,
        address: edit.address(),
        expected,
        found,
    });
}
