//! What sites a session changes, and what they hold on the way.

use std::ops::Range;

use hotsled_abi::{INT3, SiteAddr, SiteId};

use crate::Want;
use crate::sites::{Site, Word};

/// What a site holds on its way from one instruction to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// What it held before.
    Old,
    /// The old bytes with a breakpoint in front.
    TrappingOld,
    /// The new bytes with a breakpoint in front.
    TrappingNew,
    /// What it shall hold.
    New,
}

impl State {
    /// Whether it has the new bytes.
    pub(crate) fn is_new(self) -> bool {
        matches!(self, Self::TrappingNew | Self::New)
    }

    /// The state of the same bytes without a breakpoint.
    pub(crate) fn whole(self) -> Self {
        if self.is_new() { Self::New } else { Self::Old }
    }

    /// A whole word as it stands in this state. Without branches, since a session asks for every site's
    /// several times.
    pub(crate) fn on(self, word: Word) -> Word {
        let traps = matches!(self, Self::TrappingOld | Self::TrappingNew);
        let first = if traps { 0xff } else { 0 };
        (u64::from_le_bytes(word) & !first | u64::from(INT3) & first).to_le_bytes()
    }
}

/// One site's change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    pub place: &'static Site,
    pub site: SiteId,
    pub wants: Want,
}

impl Edit {
    /// A site that is to do the other thing.
    pub(crate) fn new(site: SiteId, place: &'static Site, wants: Want) -> Self {
        Self { place, site, wants }
    }

    /// Its sled.
    pub(crate) fn address(&self) -> SiteAddr {
        self.place.sled
    }

    /// Its eight bytes in a state.
    pub(crate) fn word(&self, state: State) -> Word {
        let holds = self.wants.other_unless(state.is_new());
        state.on(self.place.word(holds))
    }
}

/// Changes of sites, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    wishes: Vec<(SiteId, Want)>,
    /// The sites of the wishes. Apart, since a session that takes back the one before needs them no more, and
    /// what it reads of every site is what it costs.
    places: Vec<&'static Site>,
}

impl Edits {
    /// Wishes, each for a site that does the other thing, in the memory of others.
    pub(crate) fn fill(
        &mut self,
        wishes: &[(SiteId, Want)],
        place: impl Fn(SiteId) -> &'static Site,
    ) {
        self.clear();
        self.wishes.extend_from_slice(wishes);
        self.places.extend(wishes.iter().map(|&(id, _)| place(id)));
    }

    pub(crate) fn clear(&mut self) {
        self.wishes.clear();
        self.places.clear();
    }

    pub(crate) fn push(&mut self, edit: Edit) {
        self.wishes.push((edit.site, edit.wants));
        self.places.push(edit.place);
    }

    pub(crate) fn len(&self) -> usize {
        self.wishes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    pub(crate) fn range(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = Edit> {
        let wishes = self.wishes[range.clone()].iter();
        let edit = |(&(site, wants), &place): (&_, &_)| Edit::new(site, place, wants);
        wishes.zip(&self.places[range]).map(edit)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Edit> {
        self.range(0..self.len())
    }

    /// Who shall do what.
    pub(crate) fn wishes(&self) -> &[(SiteId, Want)] {
        &self.wishes
    }

    /// Where an edit's sled is.
    pub(crate) fn address(&self, at: usize) -> u64 {
        self.places[at].sled.get()
    }

    /// Their sleds.
    pub(crate) fn places(&self) -> &[&'static Site] {
        &self.places
    }

    /// Turns into these wishes if they take back, one by one, what the edits do; if not, the edits are of no
    /// use any more.
    pub(crate) fn turn_if_taken_back(&mut self, wishes: &[(SiteId, Want)]) -> bool {
        let turn = |(old, new): (&mut (SiteId, Want), &(SiteId, Want))| {
            let back = old.0 == new.0 && old.1 != new.1;
            old.1 = new.1;
            back
        };
        self.len() == wishes.len() && self.wishes.iter_mut().zip(wishes).all(turn)
    }

    /// By ascending address.
    pub(crate) fn sort(&mut self) {
        let mut edits: Vec<Edit> = self.iter().collect();
        edits.sort_unstable_by_key(Edit::address);
        self.clear();
        edits.into_iter().for_each(|edit| self.push(edit));
    }
}

#[cfg(test)]
impl Edits {
    pub(crate) fn get(&self, at: usize) -> Edit {
        let (site, wants) = self.wishes[at];
        Edit::new(site, self.places[at], wants)
    }
}

#[cfg(test)]
impl FromIterator<Edit> for Edits {
    fn from_iter<I: IntoIterator<Item = Edit>>(edits: I) -> Self {
        let mut all = Self::default();
        edits.into_iter().for_each(|edit| all.push(edit));
        all
    }
}
