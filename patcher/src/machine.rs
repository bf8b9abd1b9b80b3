//! This process as a machine: its text by either write path, and its cores.

use std::io;

use hotsled_sys::map;
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::procmem::ProcMem;

use crate::PatchError;
use crate::alias::{Aliases, Writable};
use crate::batch::Batch;
use crate::edits::State;
use crate::plan::{Home, Plan};
use crate::protocol::Machine;

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
            if span.home == Home::Private {
                let (start, len) = plan.extent(span);
                self.probe(start, len)
                    .map_err(|source| PatchError::Unmapped { start, len, source })?;
            }
            self.look_at(batch, number, State::Old);
        }
        Ok(())
    }

    /// Whether the kernel can read the range: it populates the pages, which is cheaper than copying them. A
    /// kernel that cannot has to copy.
    fn probe(&self, start: u64, len: usize) -> io::Result<()> {
        map::populate(start, len).or_else(|_| self.mem().read(start, &mut vec![0; len]))
    }

    fn view(&self, alias: usize) -> &Writable {
        self.views[alias].as_ref().expect("opened for the plan")
    }

    fn mem(&self) -> &ProcMem {
        self.mem.as_ref().expect("opened for the plan")
    }

    /// Where a span is read: what has an alias stays mapped there, whatever becomes of its object.
    fn live(&self, home: Home, start: u64) -> u64 {
        match home {
            Home::Private => start,
            Home::Alias(alias) => self.view(alias).at(start),
        }
    }

    /// Brings the image of a span up to date, and strikes out the sites that do not hold `state`.
    fn look_at(&self, batch: &mut Batch<'_>, number: usize, state: State) {
        let span = &batch.plan.spans[number];
        let mut image = std::mem::take(&mut batch.images[number]);
        // SAFETY: adopted sleds stay mapped, and less than a page lies between two of a span.
        if !unsafe { image.proves(state) } {
            let (start, len) = batch.plan.extent(span);
            // SAFETY: as above.
            unsafe { image.read(start, self.live(span.home, start), len) };
            let edits = batch.plan.edits.range(span.edits.clone());
            if !(batch.is_whole() && image.hold(edits, state)) {
                batch.sift(span.edits.clone(), state, |e| image.word(e));
                image.hold(batch.living_in(span), state);
            }
        }
        image.was_compared();
        batch.images[number] = image;
    }

    /// Compares the span unless that was just done for all, changes its image where the sites are as they should
    /// be, and writes that whole.
    fn exchange_private(
        &self,
        batch: &mut Batch<'_>,
        number: usize,
        from: State,
        to: State,
    ) -> io::Result<()> {
        if !batch.images[number].is_compared(from) {
            batch.verifying(|batch| self.look_at(batch, number, from));
        }
        let image = &mut batch.images[number];
        image.take(to);
        match image.is_empty() {
            true => Ok(()),
            // SAFETY: the protocols' steps keep every visible state valid code, and what lies between
            // the sites is written as it was.
            false => unsafe { self.mem().write(image.start(), image.bytes()) },
        }
    }

    /// Compares and exchanges each word in one atomic step, and strikes out the sites that differ. What the
    /// image knows needs no look at the sites themselves, but for those behind one that differs.
    fn exchange_aliased(
        &self,
        batch: &mut Batch<'_>,
        number: usize,
        alias: usize,
        from: State,
        to: State,
    ) {
        let span = &batch.plan.spans[number];
        let (view, image) = (self.view(alias), &mut batch.images[number]);
        let known = image.knows_all(span, from);
        let exchanged = match known {
            true => image.exchange(from, to, |at, old, new| view.exchange(at, old, new) == old),
            false => 0,
        };
        if known && exchanged == span.edits.len() {
            return image.take(to);
        }
        image.clear();
        let rest = span.edits.start + exchanged..span.edits.end;
        batch.sift(rest, from, |e| {
            view.exchange(e.address().get(), e.word(from), e.word(to))
        });
    }
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
            self.look_at(batch, number, held);
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
                Home::Alias(alias) => self.exchange_aliased(batch, number, alias, from, to),
            }
        }
        result
    }

    fn sync_cores(&self) -> io::Result<()> {
        self.barriers.sync_cores()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Want;
    use crate::edits::{Edit, Edits};
    use crate::sites::Word;
    use crate::testing::{NEW, OLD, leaked};
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
                let place = leaked(self.at(2 * n as usize) as u64);
                Edit::new(SiteId(n), place, Want::Jump)
            };
            let edits: Edits = (0..3).map(edit).collect();
            Plan::new(edits, |_| (Home::Private, u64::MAX))
        }
    }

    /// Switches all that it may, and has a word written somewhere before the comparison for an exchange.
    fn switch(text: &Text, poke: (usize, usize, Word)) -> Vec<SiteId> {
        let plan = text.plan();
        let barriers = Barriers::register().unwrap();
        let machine = Own::open(&plan, &Aliases::default(), barriers).unwrap();
        let mut batch = Batch::new(&plan);
        let somebody_writes = |step| {
            if step == poke.0 {
                text.poke(poke.1, poke.2);
            }
        };
        somebody_writes(0);
        machine.verify(&mut batch).unwrap();
        let states = [
            State::Old,
            State::TrappingOld,
            State::TrappingNew,
            State::New,
        ];
        for (number, step) in states.windows(2).enumerate() {
            if number > 0 {
                somebody_writes(number);
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
