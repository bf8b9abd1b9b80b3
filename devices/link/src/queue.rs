//! The engine's data path: one producer, in order.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotsled_sys::seqpacket;

use crate::client::Health;
use crate::shared::{Counter, Shared, StagingSpan};
use crate::{Command, DevicePtr, DownReason, Fence, Launch, LinkError};

/// Longest wait for room in the ring or for an address; chunk waits have their own deadline.
const PROMPT: Duration = Duration::from_secs(5);

/// Status of everything between two fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it succeeded.
    Done,
    /// A launch met a fault; its outputs are worthless.
    Faulted,
    /// A command was refused: memory that is not there, a launch out of its bounds.
    Failed,
}

/// A reserved range of staging; give it back with [`Queue::release`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "staging is lost until the block is released"]
pub struct Block(StagingSpan);

impl Block {
    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }
}

/// Submits commands and waits for fences.
#[derive(Debug)]
pub struct Queue {
    shared: Arc<Shared>,
    socket: Arc<OwnedFd>,
    health: Health,
    submitted: u32,
    collected: u32,
    next_fence: u64,
    /// Answers that came while another was waited for.
    early: Vec<[u64; 3]>,
    free: Vec<StagingSpan>,
}

impl Queue {
    pub(crate) fn new(shared: Arc<Shared>, socket: Arc<OwnedFd>, health: Health) -> Self {
        let free = vec![StagingSpan {
            offset: 0,
            bytes: shared.staging_len(),
        }];
        Self {
            shared,
            socket,
            health,
            submitted: 0,
            collected: 0,
            next_fence: 1,
            early: Vec::new(),
            free,
        }
    }

    /// Whether the link is up.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Device memory.
    ///
    /// # Errors
    /// [`LinkError::DeviceFull`], or the link's end.
    pub fn alloc(&mut self, bytes: u64) -> Result<DevicePtr, LinkError> {
        let ticket = self.ticket();
        self.submit(&Command::Alloc { ticket, bytes })?;
        let [_, _, address] = self.answer(ticket, Instant::now() + PROMPT, "an allocation")?;
        if address == 0 {
            Err(LinkError::DeviceFull { bytes })
        } else {
            Ok(DevicePtr(address))
        }
    }

    /// Gives device memory back.
    ///
    /// # Errors
    /// The link's end.
    pub fn free(&mut self, ptr: DevicePtr) -> Result<(), LinkError> {
        self.submit(&Command::Free(ptr))
    }

    /// Reserves staging, first fit; `None` when no range is long enough.
    pub fn reserve(&mut self, bytes: u64) -> Option<Block> {
        let bytes = bytes.max(1).checked_next_multiple_of(64)?;
        let at = self.free.iter().position(|span| span.bytes >= bytes)?;
        let span = &mut self.free[at];
        let block = StagingSpan {
            offset: span.offset,
            bytes,
        };
        span.offset += bytes;
        span.bytes -= bytes;
        if span.bytes == 0 {
            self.free.remove(at);
        }
        Some(Block(block))
    }

    /// Gives staging back. Nothing submitted may use it any more.
    pub fn release(&mut self, block: Block) {
        let at = self
            .free
            .partition_point(|span| span.offset < block.0.offset);
        self.free.insert(at, block.0);
        self.merge(at);
        self.merge(at.saturating_sub(1));
    }

    fn merge(&mut self, at: usize) {
        if let Some(&[a, b]) = self.free.get(at..at + 2)
            && a.offset + a.bytes == b.offset
        {
            self.free[at].bytes += b.bytes;
            self.free.remove(at + 1);
        }
    }

    /// Copies host memory into staging.
    ///
    /// # Panics
    /// When the range lies outside the block.
    ///
    /// # Safety
    /// `src..src + len` is readable.
    pub unsafe fn write(&self, block: &Block, at: u64, src: *const u8, len: u64) {
        assert!(
            at.checked_add(len).is_some_and(|end| end <= block.0.bytes),
            "a write outside its block"
        );
        let span = StagingSpan {
            offset: block.0.offset + at,
            bytes: len,
        };
        // SAFETY: the caller vouches for the source, the span lies in staging.
        unsafe { std::ptr::copy_nonoverlapping(src, self.shared.staging(span), len as usize) };
    }

    /// Copies staging into host memory.
    ///
    /// # Panics
    /// When the range lies outside the block.
    ///
    /// # Safety
    /// `dst..dst + len` is writable and nobody else uses it.
    pub unsafe fn read(&self, block: &Block, at: u64, dst: *mut u8, len: u64) {
        assert!(
            at.checked_add(len).is_some_and(|end| end <= block.0.bytes),
            "a read outside its block"
        );
        let span = StagingSpan {
            offset: block.0.offset + at,
            bytes: len,
        };
        // SAFETY: the caller vouches for the destination, the span lies in staging.
        unsafe { std::ptr::copy_nonoverlapping(self.shared.staging(span), dst, len as usize) };
    }

    /// Staging to device memory.
    ///
    /// # Errors
    /// The link's end.
    pub fn copy_in(
        &mut self,
        block: &Block,
        at: u64,
        ptr: DevicePtr,
        bytes: u64,
    ) -> Result<(), LinkError> {
        self.submit(&Command::CopyIn {
            staging: block.0.offset + at,
            ptr,
            bytes,
        })
    }

    /// Device memory to staging.
    ///
    /// # Errors
    /// The link's end.
    pub fn copy_out(
        &mut self,
        ptr: DevicePtr,
        block: &Block,
        at: u64,
        bytes: u64,
    ) -> Result<(), LinkError> {
        self.submit(&Command::CopyOut {
            ptr,
            staging: block.0.offset + at,
            bytes,
        })
    }

    /// Runs a module.
    ///
    /// # Errors
    /// Too many arguments, or the link's end.
    pub fn launch(&mut self, launch: Launch) -> Result<(), LinkError> {
        self.submit(&Command::Launch(launch))
    }

    /// Marks this place in the order.
    ///
    /// # Errors
    /// The link's end.
    pub fn fence(&mut self) -> Result<Fence, LinkError> {
        let fence = self.ticket();
        self.submit(&Command::Fence(fence))?;
        Ok(fence)
    }

    /// Waits for a fence.
    ///
    /// # Errors
    /// Silence until the deadline marks the link as hung; else the link's end or garbage.
    pub fn wait(&mut self, fence: Fence, deadline: Instant) -> Result<Outcome, LinkError> {
        let [_, status, _] = self.answer(fence, deadline, "a fence")?;
        match status {
            0 => Ok(Outcome::Done),
            1 => Ok(Outcome::Faulted),
            2 => Ok(Outcome::Failed),
            other => Err(self.down(DownReason::Garbage(format!("fence status {other}")))),
        }
    }

    fn ticket(&mut self) -> Fence {
        let fence = Fence(self.next_fence);
        self.next_fence += 1;
        fence
    }

    /// Writes one entry and rings, waiting for room if need be.
    fn submit(&mut self, command: &Command) -> Result<(), LinkError> {
        let words = command.encode()?;
        self.health.check()?;
        self.wait_for_room()?;
        self.shared.write_command(self.submitted, &words);
        self.submitted = self.submitted.wrapping_add(1);
        self.shared.advance(Counter::Submitted);
        self.shared.ring(Counter::Submitted);
        Ok(())
    }

    fn wait_for_room(&mut self) -> Result<(), LinkError> {
        let deadline = Instant::now() + PROMPT;
        loop {
            let taken = self.shared.load(Counter::Taken);
            let pending = self.submitted.wrapping_sub(taken);
            if !Shared::is_full(pending) {
                return Ok(());
            }
            if !self.wait_on(Counter::Taken, taken, deadline)? {
                return Err(self.down(DownReason::Hung("room in the submission ring")));
            }
        }
    }

    fn wait_on(&self, which: Counter, seen: u32, deadline: Instant) -> Result<bool, LinkError> {
        self.shared.wait(which, seen, deadline, || {
            self.health.check()?;
            if seqpacket::is_hung_up(&*self.socket) {
                return Err(self.down(DownReason::Closed));
            }
            Ok(())
        })
    }

    fn answer(
        &mut self,
        ticket: Fence,
        deadline: Instant,
        what: &'static str,
    ) -> Result<[u64; 3], LinkError> {
        loop {
            if let Some(at) = self.early.iter().position(|a| a[0] == ticket.0) {
                return Ok(self.early.swap_remove(at));
            }
            let written = self.shared.between(Counter::Completed, self.collected);
            if written.map_err(|e| self.down(DownReason::Garbage(e.to_string())))? == 0 {
                if !self.wait_on(Counter::Completed, self.collected, deadline)? {
                    return Err(self.down(DownReason::Hung(what)));
                }
                continue;
            }
            let answer = self.shared.read_completion(self.collected);
            self.collected = self.collected.wrapping_add(1);
            self.shared.advance(Counter::Collected);
            if answer[0] == 0 || answer[0] >= self.next_fence || self.early.len() > 1000 {
                return Err(self.down(DownReason::Garbage(format!(
                    "an answer to ticket {}",
                    answer[0]
                ))));
            }
            self.early.push(answer);
        }
    }

    fn down(&self, reason: DownReason) -> LinkError {
        self.health.mark_down(reason.clone());
        LinkError::Down(self.health.down().unwrap_or(reason))
    }
}
