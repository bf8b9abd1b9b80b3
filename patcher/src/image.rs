//! What memory is known to hold, so that it can be compared and written span by span.

use hotsled_abi::{INT3, SLED_LEN};

use crate::plan::{Edit, State};
use crate::sites::Word;

/// The bytes of a span of private pages, as a session last read or wrote them.
///
/// Where memory still equals the image, every site holds what the image says, and no site needs a look
/// of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    start: u64,
    bytes: Vec<u8>,
    /// The sites that are still part of the session. All of them hold `state` here.
    places: Vec<Place>,
    state: Option<State>,
}

/// A site in an image, with all that the phases of a session write there.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u32,
    new: Word,
}

impl Place {
    /// The new word behind a breakpoint.
    fn trapping_in(&self, bytes: &mut [u8]) {
        let word = bytes[self.at as usize..].first_chunk_mut();
        let [_, tail @ ..] = self.new;
        let [a, b, c, d, e, f, g] = tail;
        *word.expect("a whole sled") = [INT3, a, b, c, d, e, f, g];
    }
}

impl Image {
    /// Knows nothing any more, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.state = None;
    }

    /// What memory holds now, in the memory of an image that is not needed any more; its sites are to be
    /// sifted.
    ///
    /// # Safety
    /// The range is mapped and readable.
    pub(crate) unsafe fn copy(old: Self, start: u64, len: usize) -> Self {
        let mut new = Self { start, ..old };
        new.clear();
        new.bytes.reserve(len);
        // SAFETY: as the caller says; the vector has room.
        unsafe { std::ptr::copy_nonoverlapping(start as *const u8, new.bytes.as_mut_ptr(), len) };
        // SAFETY: as many bytes were just copied.
        unsafe { new.bytes.set_len(len) };
        new
    }

    /// These sites are left; whether all of them hold the state.
    pub(crate) fn hold<'e>(&mut self, left: impl Iterator<Item = &'e Edit>, state: State) -> bool {
        let (start, bytes) = (self.start, &self.bytes[..]);
        let mut all = true;
        let place = |edit: &Edit| {
            let at = (edit.address().get() - start) as usize;
            let word: &Word = bytes[at..].first_chunk().expect("a whole sled");
            all &= *word == edit.word(state);
            Place {
                at: at as u32,
                new: edit.word(State::New),
            }
        };
        self.places.clear();
        self.places.extend(left.map(place));
        self.state = Some(state);
        all
    }

    /// Whether every site that is still part of the session holds `state`, seen by comparing the span as a
    /// whole. If not, some may all the same.
    ///
    /// # Safety
    /// The range is mapped and readable.
    pub(crate) unsafe fn proves(&self, state: State) -> bool {
        let (live, known) = (self.start as *const _, self.bytes.as_ptr().cast());
        // SAFETY: as the caller says; a call of libc, so that it is done anew each time.
        self.state == Some(state) && unsafe { libc::memcmp(live, known, self.bytes.len()) } == 0
    }

    fn offset(&self, edit: &Edit) -> usize {
        (edit.address().get() - self.start) as usize
    }

    /// The word of a site.
    pub(crate) fn word(&self, edit: &Edit) -> Word {
        let word = self.bytes[self.offset(edit)..].first_chunk();
        *word.expect("a whole sled")
    }

    /// Takes the sites one step on, here alone: writes what `state` has other than the state before it.
    pub(crate) fn take_on(&mut self, state: State) {
        let Self { bytes, places, .. } = self;
        // A session asks this of every site: one loop a state, and one check of bounds a turn.
        match state {
            State::TrappingOld => places.iter().for_each(|p| bytes[p.at as usize] = INT3),
            State::TrappingNew => places.iter().for_each(|p| p.trapping_in(bytes)),
            State::New => places.iter().for_each(|p| bytes[p.at as usize] = p.new[0]),
            State::Old => unreachable!("no state leads on to the old one"),
        }
        self.state = Some(state);
    }

    /// Takes sites to any state, here alone.
    pub(crate) fn take<'e>(&mut self, sites: impl Iterator<Item = &'e Edit>, state: State) {
        for edit in sites {
            let at = self.offset(edit);
            self.bytes[at..at + SLED_LEN].copy_from_slice(&edit.word(state));
        }
        self.state = Some(state);
    }

    /// Whether no site is part of the session any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Want;
    use crate::sites::Site;
    use hotsled_abi::SiteId;

    /// The steps write what the states say, and leave alone what lies between the sites.
    #[test]
    fn every_step_gives_the_words_of_its_state() {
        let text = Box::leak(vec![0x0101_0101_0101_0101_u64; 8].into_boxed_slice());
        let at = |n: usize| text.as_ptr() as u64 + 8 * n as u64;
        let edit = |n: usize| Edit::new(SiteId(n as u32), Site::pretended(at(n)), Want::Jump);
        let edits = [edit(1), edit(4)];
        // SAFETY: the text is leaked and nobody writes it.
        let mut image = unsafe { Image::copy(Image::default(), at(1), 32) };
        assert!(!image.hold(edits.iter(), State::Old), "they hold ones");
        image.take(edits.iter(), State::Old);
        let between = image.bytes()[8..24].to_vec();
        for state in [State::TrappingOld, State::TrappingNew, State::New] {
            image.take_on(state);
            let words = edits.each_ref().map(|e| image.word(e));
            assert_eq!(words, edits.each_ref().map(|e| e.word(state)), "{state:?}");
            assert_eq!(image.bytes()[8..24], between, "{state:?}");
        }
    }
}
