//! The protocol's steps, over the words of this machine or of a model.

use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use hotsled_abi::Generation;

/// A word that one thread writes and any thread reads.
pub(super) trait Word {
    /// Reads it; what was done before the write it sees, happened before.
    fn read(&self) -> u64;
    /// Writes it; the write may stay in this core's buffer for a while, behind earlier ones.
    fn write(&self, value: u64);
}

impl Word for AtomicU64 {
    fn read(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn write(&self, value: u64) {
        self.store(value, Ordering::Release);
    }
}

/// What a thread publishes: a sequence (odd = inside) and the generation in use.
#[repr(align(128))]
#[derive(Debug)]
pub(super) struct Slot<W, About> {
    sequence: W,
    generation: W,
    /// Whose it is, for reports.
    pub about: About,
}

impl<W: Word, About> Slot<W, About> {
    /// A slot of a thread that is outside; both words are zero.
    pub fn new(sequence: W, generation: W, about: About) -> Self {
        Self {
            sequence,
            generation,
            about,
        }
    }

    /// Enters `generation` if it is still current *after* entry; otherwise one is outside again.
    ///
    /// - E2 Publish the generation, then the odd sequence (plain stores; x86 keeps their order).
    /// - E3 Look again whether the generation is current. The stores of E2 may still sit in this core's
    ///   buffer while E3 loads; D2 is what makes one of the two visible in time.
    pub fn enter(&self, generation: Generation, is_current: impl FnOnce() -> bool) -> bool {
        let sequence = self.sequence.read();
        debug_assert!(sequence.is_multiple_of(2), "generations do not nest");
        self.generation.write(generation.0);
        self.sequence.write(sequence + 1);
        compiler_fence(Ordering::SeqCst); // pairs with D2 in `drain`
        let entered = is_current();
        if !entered {
            self.leave();
        }
        entered
    }

    /// E5: leaves; what was done inside happens before the end of a drain that waited for it.
    pub fn leave(&self) {
        self.sequence.write(self.sequence.read() + 1);
    }

    fn inside(&self, generation: Generation) -> Option<u64> {
        let sequence = self.sequence.read();
        let inside = sequence % 2 == 1 && self.generation.read() == generation.0;
        inside.then_some(sequence)
    }
}

/// Waits until nobody is inside `generation`, which is not current any more (D1).
///
/// - D2 `barrier` on every core: each thread that entered before is now visible as odd, and each that
///   enters later sees that the generation is gone and leaves without using it.
/// - D3 Note who is inside this generation now. `slots` is asked after D2, since a thread may have got
///   its first slot just before it.
/// - D4 Wait until each of them has moved on, while `patient`. Later entries do not matter.
///
/// # Errors
/// The slots of those still inside when patience ended.
pub(super) fn drain<'s, W: Word + 's, About: 's>(
    generation: Generation,
    barrier: impl FnOnce(),
    slots: impl FnOnce() -> Vec<&'s Slot<W, About>>,
    mut patient: impl FnMut() -> bool,
) -> Result<(), Vec<&'s Slot<W, About>>> {
    barrier();
    let noted = |slot: &'s Slot<W, About>| Some((slot, slot.inside(generation)?));
    let mut inside: Vec<_> = slots().into_iter().filter_map(noted).collect();
    loop {
        inside.retain(|(slot, sequence)| slot.sequence.read() == *sequence);
        if inside.is_empty() {
            return Ok(());
        }
        if !patient() {
            return Err(inside.into_iter().map(|(slot, _)| slot).collect());
        }
    }
}
