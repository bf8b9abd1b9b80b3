//! The sites of a session that are still part of it.

use std::ops::Range;
use std::time::{Duration, Instant};

use hotsled_abi::SiteId;

use crate::edits::{Edit, State};
use crate::image::Image;
use crate::plan::{Plan, Span};
use crate::sites::Word;
use crate::{Refusal, Want};

/// A plan under way: sites that hold what they should not are struck out, the others go on.
#[derive(Debug)]
pub(crate) struct Batch<'p> {
    pub plan: &'p Plan,
    alive: Vec<bool>,
    /// What spans are known to hold, by their number.
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

impl Spare {
    /// For a session over other spans.
    pub(crate) fn clear(&mut self) {
        self.images.iter_mut().for_each(Image::clear);
    }

    /// What the images take.
    pub(crate) fn bytes(&self) -> usize {
        self.images.iter().map(Image::room).sum()
    }

    /// For a session that takes back what the last one did.
    pub(crate) fn turn(&mut self) {
        self.images.iter_mut().for_each(Image::turn);
    }
}

impl<'p> Batch<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        Self::with(plan, Spare::default())
    }

    /// A new one in the memory of an old one, whose images hold still unless they were cleared.
    pub(crate) fn with(plan: &'p Plan, spare: Spare) -> Self {
        let Spare {
            mut alive,
            mut images,
        } = spare;
        alive.clear();
        alive.resize(plan.edits.len(), true);
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

    /// Whether no site was struck out so far.
    pub(crate) fn is_whole(&self) -> bool {
        self.refused.is_empty()
    }

    /// Looks at every living one of these edits and strikes out those that are not as expected; whether any
    /// is left.
    pub(crate) fn sift(
        &mut self,
        edits: Range<usize>,
        expected: State,
        mut look: impl FnMut(&Edit) -> Word,
    ) -> bool {
        let alive = &mut self.alive[edits.clone()];
        let mut any = false;
        for (edit, alive) in self.plan.edits.range(edits).zip(alive) {
            if !*alive {
                continue;
            }
            let (expected, found) = (edit.word(expected), look(&edit));
            if found == expected {
                any = true;
            } else {
                *alive = false;
                strike(&mut self.refused, &edit, expected, found);
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
    pub(crate) fn living_in(&self, span: &Span) -> impl Iterator<Item = Edit> {
        let edits = self.plan.edits.range(span.edits.clone());
        let alive = &self.alive[span.edits.clone()];
        edits
            .zip(alive)
            .filter_map(|(e, &alive)| alive.then_some(e))
    }

    /// Every wish, and whether its site is still part of the session.
    pub(crate) fn wishes(&self) -> impl Iterator<Item = (SiteId, Want, bool)> {
        let wishes = self.plan.edits.wishes().iter().zip(&self.alive);
        wishes.map(|(&(id, wants), &alive)| (id, wants, alive))
    }

    /// The sites that are left.
    pub(crate) fn living(&self) -> Vec<SiteId> {
        if self.is_whole() {
            return self.plan.edits.wishes().iter().map(|w| w.0).collect();
        }
        let living = self.wishes().filter(|&(.., alive)| alive);
        living.map(|(id, ..)| id).collect()
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
