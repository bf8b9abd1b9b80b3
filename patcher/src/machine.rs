//! This process as a machine: its text by either write path, and its cores.

use std::cell::RefCell;
use std::io;

use hotsled_abi::SLED_LEN;
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::procmem::ProcMem;

use crate::PatchError;
use crate::alias::{Aliases, Writable};
use crate::batch::Batch;
use crate::plan::{Edit, Home, Plan, Span};
use crate::protocol::Machine;
use crate::sites::Word;

/// Own text, opened for the sites of one plan.
pub(crate) struct Own {
    mem: Option<ProcMem>,
    /// Writable views by number of their alias; only those that the plan needs.
    views: Vec<Option<Writable>>,
    barriers: Barriers,
    /// Bytes of the span in hand, kept from span to span.
    image: RefCell<Vec<u8>>,
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
            image: RefCell::default(),
        })
    }

    /// Strikes out the sites that do not hold their old word. The kernel does the reading, so that an
    /// object that was unloaded without a word is an error and not a fault.
    ///
    /// # Errors
    /// Memory that is not mapped.
    pub(crate) fn verify(&self, batch: &mut Batch<'_>) -> Result<(), PatchError> {
        let plan = batch.plan;
        for span in &plan.spans {
            let (start, len) = batch.plan.extent(span);
            if let (Home::Private, Some(mem)) = (span.home, &self.mem) {
                let mut image = self.image.borrow_mut();
                image.resize(len, 0);
                mem.read(start, &mut image)
                    .map_err(|source| PatchError::Unmapped { start, len, source })?;
                batch.sift(span, Edit::old, |e| word(&image, e, start));
            } else {
                self.compare_span(batch, span, &Edit::old);
            }
        }
        Ok(())
    }

    fn compare_span(&self, batch: &mut Batch<'_>, span: &Span, held: &impl Fn(&Edit) -> Word) {
        match span.home {
            // SAFETY: an adopted sled stays mapped and readable.
            Home::Private => batch.sift(span, held, |e| unsafe { live(e) }),
            Home::Alias(number) => batch.sift(span, held, |e| self.view(number).load(e.address)),
        };
    }

    fn view(&self, alias: usize) -> &Writable {
        self.views[alias].as_ref().expect("opened for the plan")
    }

    /// Copies the span, changes the copy where it is as it should be, and writes it back whole.
    fn exchange_private(
        &self,
        batch: &mut Batch<'_>,
        span: &Span,
        old: &impl Fn(&Edit) -> Word,
        new: &impl Fn(&Edit) -> Word,
    ) -> io::Result<()> {
        let (start, len) = batch.plan.extent(span);
        let mut image = self.image.borrow_mut();
        image.resize(len, 0);
        let any = batch.verifying(|batch| {
            // SAFETY: adopted sleds stay mapped, and less than a page lies between two of a span.
            unsafe { std::ptr::copy(start as *const u8, image.as_mut_ptr(), len) };
            batch.sift(span, old, |e| {
                let found = word(&image, e, start);
                if found == old(e) {
                    put(&mut image, e, start, new(e));
                }
                found
            })
        });
        match &self.mem {
            // SAFETY: the protocols' steps keep every visible state valid code, and what lies between
            // the sites is written as it was.
            Some(mem) if any => unsafe { mem.write(start, &image) },
            _ => Ok(()),
        }
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
    fn compare(&self, batch: &mut Batch<'_>, held: impl Fn(&Edit) -> Word) -> io::Result<()> {
        let plan = batch.plan;
        for span in &plan.spans {
            self.compare_span(batch, span, &held);
        }
        Ok(())
    }

    fn exchange(
        &self,
        batch: &mut Batch<'_>,
        old: impl Fn(&Edit) -> Word,
        new: impl Fn(&Edit) -> Word,
    ) -> io::Result<()> {
        let (plan, mut result) = (batch.plan, Ok(()));
        for span in &plan.spans {
            match span.home {
                Home::Private => {
                    result = result.and(self.exchange_private(batch, span, &old, &new));
                }
                Home::Alias(number) => {
                    let view = self.view(number);
                    batch.sift(span, &old, |e| view.exchange(e.address, old(e), new(e)));
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
    unsafe { std::ptr::read_volatile(edit.address.get() as *const Word) }
}

fn word(image: &[u8], edit: &Edit, start: u64) -> Word {
    let at = (edit.address.get() - start) as usize;
    image[at..at + SLED_LEN].try_into().expect("a whole sled")
}

fn put(image: &mut [u8], edit: &Edit, start: u64, word: Word) {
    let at = (edit.address.get() - start) as usize;
    image[at..at + SLED_LEN].copy_from_slice(&word);
}
