//! A chunk computed once more on the CPU, to compare.

use hotsled_abi::{ArgBlock, ArgSlot};
use hotsled_link::DownReason;

use super::Worker;
use super::chunk::{Back, Chunk, Part, Verdict, identities, own_part, publish};
use super::job::Session;

/// A part that came back, and what the device gave for it.
pub(super) type Given<'c> = (&'c Part, Vec<u8>);

impl Worker {
    /// Runs the chunk's CPU body and compares. The CPU's result is kept in any case.
    ///
    /// 1. Give the chunk accumulators of its own: others combine with the caller's meanwhile, so that its
    ///    share could not be told apart there.
    /// 2. Run the body. Elements of own slices are written in place: they are this chunk's alone.
    /// 3. Combine its accumulators with the caller's, also after a panic: what a loop has done before that is
    ///    done.
    /// 4. Compare.
    pub(super) fn check_on_cpu(
        &mut self,
        session: &Session<'_>,
        chunk: &Chunk,
        given: &[Given<'_>],
    ) -> Verdict {
        let (call, section) = (&session.job.call, session.section);
        section.cell.stats().chunks_verified.add(1);
        let apart = Apart::new(session, given); // step 1
        let block = apart.block(call.block());
        // SAFETY: the chunk's range is this lane's alone. The block is the call's but for accumulators of the
        // same lengths, and valid inside the gate.
        let panic = unsafe { section.cell.run(section.cell.body(), &block, &chunk.range) }; // step 2
        let computed = apart.settle(session, given); // step 3
        let difference = match panic {
            Some(panic) => {
                call.panicked(chunk.range.start, panic);
                Some(chunk.range.start)
            }
            None => (given.iter().zip(&computed)) // step 4
                .find_map(|((part, device), cpu)| first_difference(part, cpu, device)),
        };
        if let Some(index) = difference {
            self.quarantine(&section.path, index);
            return Verdict::Computed;
        }
        let bytes_out = computed.iter().map(|bytes| bytes.len() as u64).sum();
        Verdict::Committed { bytes_out }
    }

    fn quarantine(&self, section: &str, index: u64) {
        let what = format!("section {section}, index {index}");
        tracing::error!(
            section,
            index,
            "a device result differs from the CPU's; the device is quarantined"
        );
        self.queue.health().mark_down(DownReason::Mismatch(what));
    }
}

/// A call's arguments with accumulators for one chunk alone.
struct Apart {
    slots: Vec<ArgSlot>,
    /// For each part its accumulator, in words for their alignment; nothing where it is none.
    bins: Vec<Vec<u64>>,
}

impl Apart {
    fn new(session: &Session<'_>, given: &[Given<'_>]) -> Self {
        // SAFETY: the session's job is inside the call's gate.
        let mut slots = unsafe { session.job.call.slots() }.to_vec();
        let mut bins: Vec<_> = given.iter().map(|(part, _)| unused(part)).collect();
        for ((part, _), bins) in given.iter().zip(&mut bins) {
            if let Back::Combines(_) = part.back {
                slots[part.param].word = bins.as_mut_ptr() as u64;
            }
        }
        Self { slots, bins }
    }

    /// Their block, valid for as long as they are.
    fn block(&self, of: &ArgBlock) -> ArgBlock {
        ArgBlock {
            slots: self.slots.as_ptr(),
            ..*of
        }
    }

    /// What the CPU has computed for each part; accumulators are combined with the caller's.
    fn settle(self, session: &Session<'_>, given: &[Given<'_>]) -> Vec<Vec<u8>> {
        let parts = given.iter().map(|(part, _)| part);
        let computed = parts.zip(self.bins).map(|(part, bins)| match part.back {
            Back::Combines(_) => {
                let mut bytes: Vec<u8> = bins.into_iter().flat_map(u64::to_le_bytes).collect();
                bytes.truncate(part.bytes() as usize);
                publish(session, part, &bytes);
                bytes
            }
            _ => in_place(session, part),
        });
        computed.collect()
    }
}

/// A fresh accumulator as large as the part, if it is one.
fn unused(part: &Part) -> Vec<u64> {
    let Back::Combines(op) = part.back else {
        return Vec::new();
    };
    let mut bytes = identities(op, part.elem, part.count);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let words = bytes.as_chunks().0.iter();
    words.map(|word| u64::from_le_bytes(*word)).collect()
}

/// A part of an own slice as it is.
fn in_place(session: &Session<'_>, part: &Part) -> Vec<u8> {
    let mut bytes = vec![0; part.bytes() as usize];
    // SAFETY: the part lies in a `&mut [T]` of the running call, and this range of it belongs to this chunk
    // alone.
    unsafe {
        std::ptr::copy_nonoverlapping(own_part(session, part), bytes.as_mut_ptr(), bytes.len());
    }
    bytes
}

/// First element that differs; all NaNs are equal.
fn first_difference(part: &Part, cpu: &[u8], device: &[u8]) -> Option<u64> {
    let size = part.elem.size() as usize;
    let differs = |(a, b): (&[u8], &[u8])| a != b && !(part.elem.is_nan(a) && part.elem.is_nan(b));
    let at = cpu
        .chunks(size)
        .zip(device.chunks(size))
        .position(differs)?;
    Some(part.first + at as u64)
}
