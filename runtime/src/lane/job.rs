//! One call on one device: chunks from its cursor, two in flight.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use hotsled_ir::{Access, ParamKind, Reach};
use hotsled_link::{Block, DevicePtr, LinkError, Outcome};

use super::Worker;
use super::buffers::Buffer;
use super::chunk::{Chunk, Verdict};
use super::counter::Job;
use crate::section::{self, Section};

/// Chunks in flight: one computes while the next one's inputs travel.
const IN_FLIGHT: usize = 2;
/// Time a chunk should take: the way there and back is then a small part of it.
const CHUNK: Duration = Duration::from_millis(2);
/// Size of the first chunk of a section on this device, before anything is measured.
const FIRST_CHUNK: u64 = 16 << 10;

/// Inputs longer than this are sent in pieces of it, so that several find room in staging.
const PIECE: u64 = 8 << 20;

/// A whole input in device memory, for every chunk of the call.
pub(super) struct Whole {
    pub buffer: Buffer,
    /// Staging that is still in use.
    block: Option<Block>,
}

/// What one call needs while it runs here.
pub(super) struct Session<'a> {
    pub job: &'a Job,
    pub section: &'static Section,
    /// By parameter: inputs that chunks reach everywhere.
    pub whole: Vec<Option<Whole>>,
    /// Measured nanoseconds per element on this device.
    pace: Option<f64>,
    /// No chunk is longer: half of one that staging or device memory could not hold.
    cap: u64,
}

impl Worker {
    /// Works on a call until its cursor is empty, the lane is closed, or the link is down.
    pub(super) fn serve(&mut self, job: Job) {
        let section = section::by_site(job.site).expect("dispatch hands in registered sites");
        let mut session = Session {
            job: &job,
            section,
            whole: Vec::new(),
            pace: None,
            cap: u64::MAX,
        };
        match self.upload_whole(&mut session) {
            Ok(()) => self.chunks(&mut session),
            Err(error) => {
                tracing::debug!(%error, section = section.path, "inputs did not reach the device");
                job.call.hand_back(job.first.clone());
            }
        }
        self.put_back(&mut session);
        drop(session);
        drop(job); // leaves the gate before the counter is free again
        self.counter.finish();
    }

    fn upload_whole(&mut self, session: &mut Session<'_>) -> Result<(), LinkError> {
        // SAFETY: holding the job is being inside the call's gate.
        let slots = unsafe { session.job.call.slots() };
        let section = session.section;
        for ((slot, param), access) in slots
            .iter()
            .zip(&section.module.params)
            .zip(&section.access)
        {
            let (ParamKind::Input(elem), Access::Input(Reach::Whole)) = (param.kind, access) else {
                session.whole.push(None);
                continue;
            };
            let bytes = slot.len * elem.size();
            let buffer = self.buffers.get(&mut self.queue, bytes)?;
            // SAFETY: the slot is a `&[T]` of the running call, of this many bytes.
            let sent = unsafe { self.send_whole(slot.word as *const u8, buffer, bytes) };
            let block = sent.inspect_err(|_| self.buffers.put(buffer))?;
            session.whole.push(Some(Whole { buffer, block }));
            section.cell.stats().bytes_in.add(bytes);
            self.progress
                .bytes_in
                .fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends a whole input: at once, if staging has room to spare, and the block is in use while the device may
    /// still read it; else piece by piece, each waited for.
    ///
    /// # Safety
    /// `from..from + bytes` is readable.
    unsafe fn send_whole(
        &mut self,
        from: *const u8,
        to: Buffer,
        bytes: u64,
    ) -> Result<Option<Block>, LinkError> {
        if bytes <= PIECE {
            // SAFETY: the caller's promise.
            return unsafe { self.send_piece(from, to.ptr, bytes) }.map(Some);
        }
        for at in (0..bytes).step_by(PIECE as usize) {
            // SAFETY: `at` lies in the source.
            let part = unsafe { from.add(at as usize) };
            let ptr = DevicePtr(to.ptr.0 + at);
            // SAFETY: the caller's promise, and no piece reaches beyond the end.
            let block = unsafe { self.send_piece(part, ptr, PIECE.min(bytes - at)) }?;
            let fence = self.queue.fence()?;
            let arrived = self.queue.wait(fence, Instant::now() + self.chunk_limit);
            self.queue.release(block);
            if arrived? != Outcome::Done {
                let what = "an input that the device did not take";
                return Err(LinkError::Unfit { what });
            }
        }
        Ok(None)
    }

    /// # Safety
    /// `from..from + bytes` is readable.
    unsafe fn send_piece(
        &mut self,
        from: *const u8,
        to: DevicePtr,
        bytes: u64,
    ) -> Result<Block, LinkError> {
        let block = self.queue.reserve(bytes).ok_or(LinkError::Unfit {
            what: "inputs larger than staging",
        })?;
        // SAFETY: the caller's promise; the block has this many bytes.
        unsafe { self.queue.write(&block, 0, from, bytes) };
        match self.queue.copy_in(&block, 0, to, bytes) {
            Ok(()) => Ok(block),
            Err(error) => {
                self.queue.release(block);
                Err(error)
            }
        }
    }

    fn put_back(&mut self, session: &mut Session<'_>) {
        for whole in session.whole.drain(..).flatten() {
            self.buffers.put(whole.buffer);
            if let Some(block) = whole.block {
                self.queue.release(block);
            }
        }
    }

    fn chunks(&mut self, session: &mut Session<'_>) {
        let mut first = Some(self.extended(session));
        let mut in_flight: VecDeque<Chunk> = VecDeque::new();
        loop {
            while in_flight.len() < IN_FLIGHT {
                let Some(range) = first.take().or_else(|| self.next_range(session)) else {
                    break;
                };
                match self.send(session, range) {
                    Ok(chunk) => in_flight.push_back(chunk),
                    Err(range) => {
                        session.cap = (range.end - range.start) / 2;
                        session.job.call.hand_back(range);
                        break;
                    }
                }
            }
            let Some(chunk) = in_flight.pop_front() else {
                break;
            };
            self.settle(session, chunk);
        }
    }

    /// The range that dispatch gave, longer by what follows it, up to a chunk.
    fn extended(&self, session: &Session<'_>) -> Range<u64> {
        let first = session.job.first.clone();
        let more = self
            .chunk_len(session)
            .saturating_sub(first.end - first.start);
        match session.job.call.cursor().take_at(first.end, more) {
            Some(next) => first.start..next.end,
            None => first,
        }
    }

    fn next_range(&self, session: &Session<'_>) -> Option<Range<u64>> {
        if self.counter.is_closed() || self.queue.health().down().is_some() {
            return None;
        }
        session.job.call.cursor().take(self.chunk_len(session))
    }

    /// What takes about [`CHUNK`] here, but at most half of what is left, so that nobody waits long for
    /// the last chunk.
    fn chunk_len(&self, session: &Session<'_>) -> u64 {
        let timed = session.pace.map_or(FIRST_CHUNK, |ns| {
            (CHUNK.as_nanos() as f64 / ns.max(0.01)) as u64
        });
        let left = session.job.call.cursor().left();
        timed.min(left / 2 + 1).min(session.cap).max(1024)
    }

    /// Waits for a chunk and commits it, or gives its range back to the call.
    fn settle(&mut self, session: &mut Session<'_>, chunk: Chunk) {
        let call = &session.job.call;
        let stats = session.section.cell.stats();
        let (range, began) = (chunk.range.clone(), chunk.sent);
        let elements = range.end - range.start;
        match self.receive(session, &chunk) {
            Verdict::Committed { bytes_out } => {
                call.committed(elements);
                stats.bytes_in.add(chunk.bytes_in);
                stats.bytes_out.add(bytes_out);
                self.progress.committed(chunk.bytes_in, bytes_out);
                self.learn(session, elements, began);
            }
            Verdict::Faulted => {
                stats.chunks_faulted.add(1);
                call.hand_back(range);
            }
            Verdict::Refused => call.hand_back(range),
            Verdict::Lost => {
                self.progress
                    .replayed
                    .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                call.lost_device();
                call.hand_back(range);
            }
            Verdict::Computed => {} // the check on the CPU has already written the right result
        }
        self.recycle(chunk);
    }

    fn learn(&self, session: &mut Session<'_>, elements: u64, sent: Instant) {
        let ns = sent.elapsed().as_nanos() as f64 / elements.max(1) as f64 / IN_FLIGHT as f64;
        session.pace = Some(session.pace.map_or(ns, |old| old * 0.5 + ns * 0.5));
        crate::worth::correct(session.section.cell, self.round_trip, &self.info);
    }
}
