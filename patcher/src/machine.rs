//! This process as a machine: its text by either write path, and its cores.

use std::io;

use hotsled_sys::map;
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::procmem::ProcMem;

use crate::PatchError;
use crate::alias::{Aliases, Writable};
use crate::batch::Batch;
use crate::image::Image;
use crate::plan::{Edit, Home, Plan, Span, State};
use crate::protocol::Machine;
use crate::sites::Word;

/// Own text, opened for the sites of one plan.
pub(crate) struct Own {
    mem: Option<ProcMem>,
    /// Writable views by number of their alias; only those that the plan needs.
    views: Vec<Option<Writable>>,
    barriers: Barriers,
}

impl Own {
    /// Opens what the plan needs.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn open(
        plan: &Plan,
        aliases: &Aliases,
        barriers: Barriers,
    ) -> Result<Self, PatchError> {
        let private = plan.spans.iter().any(|s| s.home == Home::Private);
        let mem = private
            .then(ProcMem::open)
            .transpose()
            .map_err(PatchError::WritePath)?;
        let mut views: Vec<Option<Writable>> = Vec::new();
        for span in &plan.spans {
            if let Home::Alias(number) = span.home {
                views.resize_with(views.len().max(number + 1), || None);
                if views[number].is_none() {
                    views[number] = Some(aliases.open(number).map_err(PatchError::WritePath)?);
                }
            }
        }
        Ok(Self {
            mem,
            views,
            barriers,
        })
    }

    /// Strikes out the sites that do not hold their old word. The kernel looks first, so that an object that
    /// was unloaded without a word is an error and not a fault.
    ///
    /// # Errors
    /// Memory that is not mapped.
    pub(crate) fn verify(&self, batch: &mut Batch<'_>) -> Result<(), PatchError> {
        let plan = batch.plan;
        for (number, span) in plan.spans.iter().enumerate() {
            let Home::Private = span.home else {
                self.compare_span(batch, number, State::Old);
                continue;
            };
            let (start, len) = plan.extent(span);
            self.probe(start, len)
                .map_err(|source| PatchError::Unmapped { start, len, source })?;
            let spare = std::mem::take(&mut batch.images[number]);
            batch.images[number] = up_to_date(batch, span, spare, State::Old);
        }
        Ok(())
    }

    /// Whether the kernel can read the range: it populates the pages, which is cheaper than copying them. A
    /// kernel that cannot has to copy.
    fn probe(&self, start: u64, len: usize) -> io::Result<()> {
        map::populate(start, len).or_else(|_| self.mem().read(start, &mut vec![0; len]))
    }

    fn compare_span(&self, batch: &mut Batch<'_>, number: usize, held: State) {
        let span = &batch.plan.spans[number];
        match span.home {
            // SAFETY: adopted sleds stay mapped, and less than a page lies between two of a span.
            Home::Private if unsafe { batch.images[number].proves(held) } => true,
            // SAFETY: an adopted sled stays mapped and readable.
            Home::Private => batch.sift(span, held, |e| unsafe { live(e) }),
            Home::Alias(alias) => {
                let view = self.view(alias);
                batch.sift(span, held, |e| view.load(e.address()))
            }
        };
    }

    fn view(&self, alias: usize) -> &Writable {
        self.views[alias].as_ref().expect("opened for the plan")
    }

    fn mem(&self) -> &ProcMem {
        self.mem.as_ref().expect("opened for the plan")
    }

    /// Compares the span, changes its image where the sites are as they should be, and writes that whole.
    fn exchange_private(
        &self,
        batch: &mut Batch<'_>,
        number: usize,
        from: State,
        to: State,
    ) -> io::Result<()> {
        let span = &batch.plan.spans[number];
        let known = std::mem::take(&mut batch.images[number]);
        let mut image = batch.verifying(|batch| up_to_date(batch, span, known, from));
        match from.leads_on_to(to) {
            true => image.take_on(to),
            false => image.take(batch.living_in(span), to),
        }
        let written = match image.is_empty() {
            true => Ok(()),
            // SAFETY: the protocols' steps keep every visible state valid code, and what lies between
            // the sites is written as it was.
            false => unsafe { self.mem().write(image.start(), image.bytes()) },
        };
        batch.images[number] = image;
        written
    }
}

/// The span as it is; the sites that are not as they should be are struck out.
fn up_to_date(batch: &mut Batch<'_>, span: &Span, known: Image, state: State) -> Image {
    // SAFETY: adopted sleds stay mapped, and less than a page lies between two of a span.
    if unsafe { known.proves(state) } {
        return known;
    }
    let (start, len) = batch.plan.extent(span);
    // SAFETY: as above.
    let mut found = unsafe { Image::copy(known, start, len) };
    let whole = batch.untouched(span);
    if !whole.is_some_and(|edits| found.hold(edits.iter(), state)) {
        batch.sift(span, state, |e| found.word(e));
        found.hold(batch.living_in(span), state);
    }
    found
}

/// Writes the first byte of a function that never runs over itself through `/proc/self/mem`, and looks
/// whether it can be seen.
///
/// # Errors
/// What the kernel refuses, or that the write did not arrive.
pub(crate) fn self_test() -> io::Result<()> {
    let mem = ProcMem::open()?;
    let address = never_run as *const () as u64;
    // SAFETY: text is readable.
    let look = || unsafe { std::ptr::read_volatile(address as *const u8) };
    let byte = look();
    // SAFETY: nobody ever runs this function, so its bytes may be anything for a while.
    unsafe { mem.write(address, &[byte ^ 1]) }?;
    let seen = look();
    // SAFETY: as above; this restores the byte.
    unsafe { mem.write(address, &[byte]) }?;
    if seen == byte ^ 1 && look() == byte {
        return Ok(());
    }
    Err(io::Error::other("a write was not seen when read back"))
}

#[inline(never)]
extern "C" fn never_run() -> u64 {
    std::hint::black_box(0x5eed)
}

impl Machine for Own {
    fn compare(&self, batch: &mut Batch<'_>, held: State) -> io::Result<()> {
        for number in 0..batch.plan.spans.len() {
            self.compare_span(batch, number, held);
        }
        Ok(())
    }

    fn exchange(&self, batch: &mut Batch<'_>, from: State, to: State) -> io::Result<()> {
        let (plan, mut result) = (batch.plan, Ok(()));
        for (number, span) in plan.spans.iter().enumerate() {
            match span.home {
                Home::Private => {
                    result = result.and(self.exchange_private(batch, number, from, to));
                }
                Home::Alias(alias) => {
                    let view = self.view(alias);
                    batch.sift(span, from, move |e| {
                        view.exchange(e.address(), e.word(from), e.word(to))
                    });
                }
            }
        }
        result
    }

    fn sync_cores(&self) -> io::Result<()> {
        self.barriers.sync_cores()
    }
}

/// # Safety
/// The edit's sled is mapped and readable.
unsafe fn live(edit: &Edit) -> Word {
    // SAFETY: aligned, and as the caller says; volatile, since code may change under us.
    let word = unsafe { std::ptr::read_volatile(edit.address().get() as *const u64) };
    word.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Want;
    use crate::sites::Site;
    use crate::testing::{NEW, OLD};
    use hotsled_abi::SiteId;

    const FOREIGN: Word = [0x55; 8];

    /// Three idle sites with a word after each, in memory of this process; leaked.
    struct Text(*mut [Word; 6]);

    impl Text {
        fn new() -> Self {
            Self(Box::into_raw(Box::new([OLD; 6])))
        }

        fn at(&self, word: usize) -> *mut Word {
            self.0.cast::<Word>().wrapping_add(word)
        }

        fn poke(&self, at: usize, word: Word) {
            // SAFETY: within the text, which only this thread touches.
            unsafe { self.at(at).write_volatile(word) };
        }

        fn holds(&self) -> [Word; 6] {
            // SAFETY: as above.
            unsafe { self.0.read_volatile() }
        }

        fn plan(&self) -> Plan {
            let edit = |n: u32| {
                let place = Site::pretended(self.at(2 * n as usize) as u64);
                Edit::new(SiteId(n), place, Want::Jump)
            };
            Plan::new((0..3).map(edit).collect(), |_| (Home::Private, u64::MAX))
        }
    }

    /// Switches all that it may, and has `word` written somewhere before the exchange of a number.
    fn switch(text: &Text, poke: (usize, usize, Word)) -> Vec<SiteId> {
        let plan = text.plan();
        let barriers = Barriers::register().unwrap();
        let machine = Own::open(&plan, &Aliases::default(), barriers).unwrap();
        let mut batch = Batch::new(&plan);
        machine.verify(&mut batch).unwrap();
        let states = [
            State::Old,
            State::TrappingOld,
            State::TrappingNew,
            State::New,
        ];
        for (number, step) in states.windows(2).enumerate() {
            if number == poke.0 {
                text.poke(poke.1, poke.2);
            }
            machine.exchange(&mut batch, step[0], step[1]).unwrap();
        }
        machine.compare(&mut batch, State::New).unwrap();
        batch.living()
    }

    #[test]
    fn a_site_that_changed_since_the_last_look_is_left_alone() {
        for number in 0..3 {
            let text = Text::new();
            let switched = switch(&text, (number, 2, FOREIGN));
            assert_eq!(switched, [SiteId(0), SiteId(2)], "exchange {number}");
            assert_eq!(text.holds(), [NEW, OLD, FOREIGN, OLD, NEW, OLD]);
        }
    }

    #[test]
    fn what_others_write_between_sites_stays() {
        for number in 0..3 {
            let text = Text::new();
            let switched = switch(&text, (number, 3, FOREIGN));
            assert_eq!(switched.len(), 3, "exchange {number}");
            assert_eq!(text.holds(), [NEW, OLD, NEW, FOREIGN, NEW, OLD]);
        }
    }
}
