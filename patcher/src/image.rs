//! What memory is known to hold, so that it can be compared and written span by span.

use hotsled_abi::{INT3, SLED_LEN};

use crate::edits::{Edit, State};
use crate::plan::Span;
use crate::sites::Word;

/// The bytes of a span, as a session last read or wrote them, and as it will write them.
///
/// Where memory still equals the image, every site holds what the image says, and no site needs a look
/// of its own. What lies between the sites is the same in every state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    start: u64,
    /// Where it is read: at its start, or in its alias.
    live: u64,
    /// The span with its sites in each state; empty until it is needed.
    faces: [Vec<u8>; 4],
    /// Where the sites lie that are still part of the session.
    sites: Vec<u32>,
    /// What all of them hold.
    state: Option<State>,
    /// Whether memory was compared since it was written last.
    compared: bool,
}

/// Of the faces, the one that holds what was read until sites are held.
const FOUND: usize = State::TrappingOld as usize;

impl Image {
    /// Knows nothing any more, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.sites.clear();
        self.state = None;
        self.compared = false;
    }

    /// Bytes of memory that it takes.
    pub(crate) fn room(&self) -> usize {
        self.faces.iter().map(Vec::capacity).sum()
    }

    /// The image of a session that switches the same sites back.
    pub(crate) fn turn(&mut self) {
        self.faces.reverse();
        self.state = (self.state == Some(State::New)).then_some(State::Old);
        self.compared = false;
    }

    /// Reads what the span at `start` holds now; its sites are to be looked at one by one, and then [held](Self::hold).
    ///
    /// # Safety
    /// As many bytes at `live` are mapped and readable.
    pub(crate) unsafe fn read(&mut self, start: u64, live: u64, len: usize) {
        self.clear();
        (self.start, self.live) = (start, live);
        let found = &mut self.faces[FOUND];
        found.clear();
        found.reserve(len);
        // SAFETY: as the caller says; the vector has room.
        unsafe { std::ptr::copy_nonoverlapping(live as *const u8, found.as_mut_ptr(), len) };
        // SAFETY: as many bytes were just copied.
        unsafe { found.set_len(len) };
    }

    /// The word of a site in what was read.
    pub(crate) fn word(&self, edit: &Edit) -> Word {
        let word = self.faces[FOUND][self.offset(edit)..].first_chunk();
        *word.expect("a whole sled")
    }

    /// Of what was read these sites are left and hold the state; whether they do. If not, nothing is known yet.
    pub(crate) fn hold(&mut self, left: impl Iterator<Item = Edit>, state: State) -> bool {
        let (start, [old, found, trapping, new]) = (self.start, &mut self.faces);
        old.clone_from(found);
        new.clone_from(found);
        let mut all = true;
        self.sites.clear();
        self.sites.extend(left.map(|edit| {
            let at = (edit.address().get() - start) as usize;
            let sled = at..at + SLED_LEN;
            all &= found[sled.clone()] == edit.word(state);
            old[sled.clone()].copy_from_slice(&edit.word(State::Old));
            new[sled].copy_from_slice(&edit.word(State::New));
            at as u32
        }));
        if all {
            found.clear();
            trapping.clear();
            self.take(state);
        }
        all
    }

    /// Whether every site that is still part of the session holds `state`, seen by comparing the span as a
    /// whole. If not, some may all the same.
    ///
    /// # Safety
    /// What was read is still mapped and readable.
    pub(crate) unsafe fn proves(&self, state: State) -> bool {
        if self.state != Some(state) {
            return false;
        }
        let known = self.bytes();
        let (live, len) = (self.live as *const _, known.len());
        // SAFETY: as the caller says; a call of libc, so that it is done anew each time.
        unsafe { libc::memcmp(live, known.as_ptr().cast(), len) == 0 }
    }

    /// Takes the sites to a state, here alone.
    pub(crate) fn take(&mut self, state: State) {
        let mut face = std::mem::take(&mut self.faces[state as usize]);
        if face.is_empty() {
            face.clone_from(&self.faces[state.whole() as usize]);
            self.sites.iter().for_each(|&at| face[at as usize] = INT3);
        }
        self.faces[state as usize] = face;
        self.state = Some(state);
        self.compared = false;
    }

    /// Memory was just compared with this.
    pub(crate) fn was_compared(&mut self) {
        self.compared = true;
    }

    /// Whether that was before the next write, and in which state.
    pub(crate) fn is_compared(&self, state: State) -> bool {
        self.compared && self.state == Some(state)
    }

    /// Whether all sites of the span are part of the session and hold `state`, as far as is known.
    pub(crate) fn knows_all(&self, span: &Span, state: State) -> bool {
        self.state == Some(state) && self.sites.len() == span.edits.len()
    }

    /// Hands every site's address and words in two states to `exchange`, until one is refused; how many were
    /// not.
    pub(crate) fn exchange(
        &self,
        from: State,
        to: State,
        mut exchange: impl FnMut(u64, Word, Word) -> bool,
    ) -> usize {
        let sites = self.sites.iter().map(|&at| at as usize);
        sites
            .take_while(|&at| {
                let [from, to] = [from, to].map(|state| self.word_in(at, state));
                exchange(self.start + at as u64, from, to)
            })
            .count()
    }

    fn word_in(&self, at: usize, state: State) -> Word {
        let word = self.faces[state.whole() as usize][at..].first_chunk();
        state.on(*word.expect("a whole sled"))
    }

    /// Whether no site is part of the session any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The span with its sites in the state they were taken to.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.faces[self.state.map_or(FOUND, |state| state as usize)]
    }

    fn offset(&self, edit: &Edit) -> usize {
        (edit.address().get() - self.start) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Want;
    use crate::testing::{OLD, leaked};
    use hotsled_abi::SiteId;

    /// Two idle sites, with words of something else around them; leaked.
    fn text() -> (&'static [u64], [Edit; 2]) {
        let mut text = vec![0x0101_0101_0101_0101_u64; 5];
        let start = text.as_ptr() as u64;
        for sled in [1, 4] {
            text[sled] = u64::from_le_bytes(OLD);
        }
        let edit = |n: u32| {
            let site = leaked(start + 8 * u64::from(n));
            Edit::new(SiteId(n), site, Want::Jump)
        };
        (text.leak(), [1, 4].map(edit))
    }

    fn image(text: &'static [u64]) -> Image {
        let start = &raw const text[1] as u64;
        let mut image = Image::default();
        // SAFETY: the text is leaked and nobody writes it.
        unsafe { image.read(start, start, 32) };
        image
    }

    fn words(image: &Image, edits: &[Edit; 2]) -> [Vec<u8>; 2] {
        let word = |e: &Edit| image.bytes()[image.offset(e)..][..SLED_LEN].to_vec();
        edits.each_ref().map(word)
    }

    /// The steps write what the states say, and leave alone what lies between the sites.
    #[test]
    fn every_step_gives_the_words_of_its_state() {
        let (text, edits) = text();
        let mut image = image(text);
        assert!(image.hold(edits.into_iter(), State::Old));
        let between = image.bytes()[8..24].to_vec();
        for state in [State::TrappingOld, State::TrappingNew, State::New] {
            image.take(state);
            let wanted = edits.each_ref().map(|e| e.word(state));
            assert_eq!(words(&image, &edits), wanted, "{state:?}");
            assert_eq!(image.bytes()[8..24], between, "{state:?}");
        }
    }

    #[test]
    fn turned_it_leads_back() {
        let (text, edits) = text();
        let mut image = image(text);
        image.hold(edits.into_iter(), State::Old);
        image.take(State::TrappingOld);
        image.take(State::New);
        image.was_compared();
        image.turn();
        assert!(!image.is_compared(State::Old), "that was another session");
        let back = edits.map(|e| Edit {
            wants: Want::Idle,
            ..e
        });
        for state in [State::TrappingOld, State::TrappingNew, State::New] {
            image.take(state);
            let wanted = back.each_ref().map(|e| e.word(state));
            assert_eq!(words(&image, &back), wanted, "{state:?}");
        }
        // SAFETY: the text is leaked.
        assert!(unsafe { image.proves(State::New) }, "idle as it was");
    }

    #[test]
    fn what_knows_nothing_proves_nothing_when_turned() {
        let mut image = Image::default();
        image.turn();
        // SAFETY: nothing was read.
        assert!(!unsafe { image.proves(State::Old) });
    }

    #[test]
    fn sites_that_hold_something_else_are_not_held() {
        let (text, [one, other]) = text();
        let mut image = image(text);
        let astray = Edit {
            place: leaked(&raw const text[2] as u64),
            ..other
        };
        assert!(!image.hold([one, astray].into_iter(), State::Old));
        assert_eq!(image.word(&one), OLD, "what was read is still there");
        assert!(image.hold([one].into_iter(), State::Old));
    }
}
