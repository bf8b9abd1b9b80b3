//! One chunk on its way to a device and back.

use std::ops::Range;
use std::time::Instant;

use hotsled_abi::ArgSlot;
use hotsled_ir::{AccOp, Access, Elem, ParamKind, Reach};
use hotsled_link::{Block, Fence, Launch, LaunchArg, LinkError, Outcome};

use super::buffers::Buffer;
use super::job::Session;
use super::{Worker, accumulate};

/// A chunk in flight. Until its commit, inputs and old contents of its outputs are untouched in the
/// caller's memory, so that it can be run again anywhere.
pub(super) struct Chunk {
    pub range: Range<u64>,
    pub sent: Instant,
    pub bytes_in: u64,
    fence: Fence,
    parts: Vec<Part>,
}

/// A part of a slice that travels with one chunk.
pub(super) struct Part {
    pub param: usize,
    buffer: Buffer,
    block: Block,
    /// First element and number of elements.
    pub first: u64,
    pub count: u64,
    pub elem: Elem,
    pub back: Back,
}

/// What becomes of a part after the launch.
#[derive(Clone, Copy)]
pub(super) enum Back {
    /// Nothing: an input.
    No,
    /// It replaces elements of an own slice.
    Replaces,
    /// It is combined with the elements of an accumulator.
    Combines(AccOp),
}

impl Part {
    pub fn bytes(&self) -> u64 {
        self.count * self.elem.size()
    }

    fn comes_back(&self) -> bool {
        !matches!(self.back, Back::No)
    }
}

/// What became of a chunk.
pub(super) enum Verdict {
    /// Published in the caller's memory.
    Committed { bytes_out: u64 },
    /// The device met a fault; the CPU will meet it again and panic.
    Faulted,
    /// The device would not run it; the link is up.
    Refused,
    /// The link is down.
    Lost,
    /// The CPU has computed it while checking.
    Computed,
}

impl Worker {
    /// Sends a chunk; gives the range back if it cannot be sent.
    pub(super) fn send(
        &mut self,
        session: &Session<'_>,
        range: Range<u64>,
    ) -> Result<Chunk, Range<u64>> {
        let mut parts = Vec::new();
        let sent = Instant::now();
        match self.submit(session, &range, &mut parts) {
            Ok((fence, bytes_in)) => Ok(Chunk {
                range,
                sent,
                bytes_in,
                fence,
                parts,
            }),
            Err(error) => {
                tracing::debug!(%error, section = session.section.path, "a chunk was not sent");
                parts.into_iter().for_each(|part| self.give_back(part));
                Err(range)
            }
        }
    }

    fn submit(
        &mut self,
        session: &Session<'_>,
        range: &Range<u64>,
        parts: &mut Vec<Part>,
    ) -> Result<(Fence, u64), LinkError> {
        // SAFETY: the session's job is inside the call's gate.
        let slots = unsafe { session.job.call.slots() };
        let section = session.section;
        let module = self.modules.get(section.site).ok_or(LinkError::Unfit {
            what: "a module not lowered",
        })?;
        let mut args = Vec::with_capacity(slots.len());
        let mut bytes_in = 0;
        for (n, slot) in slots.iter().enumerate() {
            let (arg, sent) = self.argument(session, n, slot, range, parts)?;
            args.push(arg);
            bytes_in += sent;
        }
        self.queue.launch(Launch {
            module,
            base: range.start,
            end: range.end,
            args,
        })?;
        for part in parts.iter().filter(|part| part.comes_back()) {
            self.queue
                .copy_out(part.buffer.ptr, &part.block, 0, part.bytes())?;
        }
        Ok((self.queue.fence()?, bytes_in))
    }

    /// One argument, and the bytes that were sent for it.
    fn argument(
        &mut self,
        session: &Session<'_>,
        n: usize,
        slot: &ArgSlot,
        range: &Range<u64>,
        parts: &mut Vec<Part>,
    ) -> Result<(LaunchArg, u64), LinkError> {
        let (elem, back) = match session.section.module.params[n].kind {
            ParamKind::Scalar(_) => return Ok((LaunchArg::Scalar(slot.word), 0)),
            ParamKind::Input(elem) => (elem, Back::No),
            ParamKind::Own(elem) => (elem, Back::Replaces),
            ParamKind::Accumulator(elem, op) => (elem, Back::Combines(op)),
        };
        if let Some(whole) = &session.whole[n] {
            let all = slice(whole.buffer, slot.len, 0..slot.len);
            return Ok((all, 0));
        }
        let access = session.section.access[n];
        let wanted = reached(access, range, slot.len);
        let part = self.part(n, wanted.clone(), elem, back)?;
        let buffer = part.buffer;
        parts.push(part); // first, so that it is given back if sending fails
        let part = parts.last().expect("just pushed");
        let sent = if travels_in(access) { part.bytes() } else { 0 };
        if sent > 0 {
            self.fill(part, slot);
            self.queue.copy_in(&part.block, 0, buffer.ptr, sent)?;
        }
        Ok((slice(buffer, slot.len, wanted), sent))
    }

    /// Room for elements of a parameter, on the device and on the way there.
    fn part(
        &mut self,
        param: usize,
        elements: Range<u64>,
        elem: Elem,
        back: Back,
    ) -> Result<Part, LinkError> {
        let (first, count) = (elements.start, elements.end - elements.start);
        let buffer = self.buffers.get(&mut self.queue, count * elem.size())?;
        let Some(block) = self.queue.reserve(count * elem.size()) else {
            self.buffers.put(buffer);
            return Err(LinkError::Unfit {
                what: "a chunk larger than staging",
            });
        };
        Ok(Part {
            param,
            buffer,
            block,
            first,
            count,
            elem,
            back,
        })
    }

    /// Writes into staging what a part starts with: what changes nothing, or the caller's elements.
    fn fill(&mut self, part: &Part, slot: &ArgSlot) {
        if let Back::Combines(op) = part.back {
            let identities = identities(op, part.elem, part.count);
            // SAFETY: `identities` is a vector of this many bytes.
            unsafe {
                self.queue
                    .write(&part.block, 0, identities.as_ptr(), part.bytes())
            };
            return;
        }
        let offset = (part.first * part.elem.size()) as usize;
        // SAFETY: `first + count` is at most the slice's length, so the address lies in it.
        let src = unsafe { (slot.word as *const u8).add(offset) };
        // SAFETY: the source is part of a slice of the running call; an own part belongs to this chunk
        // alone.
        unsafe { self.queue.write(&part.block, 0, src, part.bytes()) };
    }

    /// Waits for a chunk and decides what becomes of it.
    ///
    /// 1. Wait for the fence, with a deadline.
    /// 2. Copy staging into private memory, with raw copies.
    /// 3. Still alive? A device that went may have left anything in staging.
    /// 4. Publish into the caller's memory.
    pub(super) fn receive(&mut self, session: &Session<'_>, chunk: &Chunk) -> Verdict {
        match self
            .queue
            .wait(chunk.fence, Instant::now() + self.chunk_limit)
        {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Faulted) => return Verdict::Faulted,
            Ok(Outcome::Failed) => return Verdict::Refused,
            Err(_) => return Verdict::Lost,
        }
        let results: Vec<(&Part, Vec<u8>)> = chunk
            .parts
            .iter()
            .filter(|part| part.comes_back())
            .map(|part| (part, self.private_copy(part)))
            .collect();
        if self.queue.health().down().is_some() {
            return Verdict::Lost;
        }
        // Math functions of a fast section differ.
        if !session.section.cell.is_fast() && self.verify_now() {
            return self.check_on_cpu(session, chunk, &results);
        }
        let bytes_out = results
            .iter()
            .map(|(part, bytes)| publish(session, part, bytes))
            .sum();
        Verdict::Committed { bytes_out }
    }

    fn private_copy(&self, part: &Part) -> Vec<u8> {
        let mut bytes = vec![0; part.bytes() as usize];
        // SAFETY: `bytes` has room for the part and nobody else knows it.
        unsafe {
            self.queue
                .read(&part.block, 0, bytes.as_mut_ptr(), part.bytes())
        };
        bytes
    }

    /// Takes back what a settled chunk used.
    pub(super) fn recycle(&mut self, chunk: Chunk) {
        chunk
            .parts
            .into_iter()
            .for_each(|part| self.give_back(part));
    }

    fn give_back(&mut self, part: Part) {
        self.buffers.put(part.buffer);
        self.queue.release(part.block);
    }
}

/// These elements of a slice of `len`, in a buffer.
fn slice(buffer: Buffer, len: u64, elements: Range<u64>) -> LaunchArg {
    LaunchArg::Slice {
        ptr: buffer.ptr,
        len,
        first: elements.start,
        count: elements.end - elements.start,
    }
}

/// Whether the contents go to the device: own slices only if old elements matter.
fn travels_in(access: Access) -> bool {
    match access {
        Access::Own { read, whole } => read || !whole,
        Access::Input(reach) => reach != Reach::Unused,
        Access::Accumulator => true,
        Access::Scalar => false,
    }
}

/// Elements of a slice that a chunk needs.
fn reached(access: Access, range: &Range<u64>, len: u64) -> Range<u64> {
    let clip = |start: u64, end: u64| start.min(end.min(len))..end.min(len);
    match access {
        Access::Own { .. } => clip(range.start, range.end),
        Access::Accumulator => 0..len,
        Access::Input(Reach::Window { before, after }) => clip(
            range.start.saturating_sub(before),
            range.end.saturating_add(after),
        ),
        _ => 0..0,
    }
}

/// What changes nothing, for every element.
pub(super) fn identities(op: AccOp, elem: Elem, count: u64) -> Vec<u8> {
    let (size, bits) = (elem.size() as usize, op.identity(elem).to_le_bytes());
    bits[..size].repeat(count as usize)
}

/// Copies a result into the caller's own slice, or combines it with an accumulator; bytes published.
pub(super) fn publish(session: &Session<'_>, part: &Part, bytes: &[u8]) -> u64 {
    let dst = own_part(session, part);
    if let Back::Combines(op) = part.back {
        // SAFETY: the part is a whole `&[AtomicT]` of the running call, T of this element type.
        unsafe { accumulate::all(op, part.elem, dst, bytes) };
        return bytes.len() as u64;
    }
    // SAFETY: the part lies in a `&mut [T]` of the running call, and this range of it belongs to this
    // chunk alone.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), dst, bytes.len()) };
    bytes.len() as u64
}

pub(super) fn own_part(session: &Session<'_>, part: &Part) -> *mut u8 {
    // SAFETY: the session's job is inside the call's gate.
    let slots = unsafe { session.job.call.slots() };
    let base = slots[part.param].word as *mut u8;
    // SAFETY: `first` is at most the slice's length.
    unsafe { base.add((part.first * part.elem.size()) as usize) }
}
