//! What memory is known to hold, so that it can be compared and written span by span.

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
    /// What the sites hold here that are still part of the session.
    state: Option<State>,
}

impl Image {
    /// What memory holds now.
    ///
    /// # Safety
    /// The range is mapped and readable.
    pub(crate) unsafe fn copy(start: u64, len: usize) -> Self {
        let mut bytes = vec![0; len];
        // SAFETY: as the caller says; the vector is new.
        unsafe { std::ptr::copy_nonoverlapping(start as *const u8, bytes.as_mut_ptr(), len) };
        Self {
            start,
            bytes,
            state: None,
        }
    }

    /// The sites that do not hold this have been struck out.
    pub(crate) fn sifted(self, state: State) -> Self {
        let state = Some(state);
        Self { state, ..self }
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

    /// The word of a site.
    pub(crate) fn word(&self, edit: &Edit) -> Word {
        let at = (edit.address().get() - self.start) as usize;
        let word = self.bytes[at..].first_chunk();
        *word.expect("a whole sled")
    }

    /// Brings sites to a state, here alone; whether there are any.
    pub(crate) fn put<'e>(&mut self, sites: impl Iterator<Item = &'e Edit>, state: State) -> bool {
        let (start, bytes) = (self.start, &mut self.bytes[..]);
        let put = |edit: &Edit| {
            let at = (edit.address().get() - start) as usize;
            let place = bytes[at..].first_chunk_mut();
            *place.expect("a whole sled") = edit.word(state);
        };
        self.state = Some(state);
        sites.map(put).count() > 0
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
