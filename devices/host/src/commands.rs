//! The commands of a link, one after the other, on a thread of their own. Knows no device.

use std::process;
use std::thread;
use std::time::Duration;

use hotsled_link::{Command, Completion, DevicePtr, Fence, LinkError, Work};

use crate::backend::{Backend, Status};
use crate::faults::{self, Faults, Point};

/// Commands, and who executes them.
pub(crate) struct Commands {
    work: Work,
    backend: Box<dyn Backend>,
    /// The first failure since the last fence.
    status: Status,
    faults: Faults,
}

impl Commands {
    pub(crate) fn new(work: Work, backend: Box<dyn Backend>, faults: Faults) -> Self {
        Self {
            work,
            backend,
            status: Status::Done,
            faults,
        }
    }

    /// Executes commands until the link ends, then ends the process.
    pub(crate) fn run(mut self) {
        loop {
            if let Err(error) = self.next() {
                end(&error);
            }
        }
    }

    fn next(&mut self) -> Result<(), LinkError> {
        let Some(command) = self.work.take()? else {
            return Ok(());
        };
        self.misbehave_at(&command);
        match command {
            Command::Alloc { ticket, bytes } => {
                let value = self.backend.alloc(bytes).map_or(0, |ptr| ptr.0);
                self.answer(ticket, 0, value)
            }
            Command::Fence(ticket) => {
                let status = std::mem::replace(&mut self.status, Status::Done) as u64;
                let garbage = self.faults.strike(Point::GarbageFence);
                self.answer(ticket, if garbage { 99 } else { status }, 0)
            }
            _ if self.status != Status::Done => Ok(()), // worthless until the fence says so
            command => {
                self.status = self.execute(command)?;
                Ok(())
            }
        }
    }

    /// One that is answered by the next fence.
    fn execute(&mut self, command: Command) -> Result<Status, LinkError> {
        let done = match command {
            Command::Free(ptr) => self.backend.free(ptr),
            Command::CopyIn {
                staging,
                ptr,
                bytes,
            } => self.copy_in(staging, ptr, bytes)?,
            Command::CopyOut {
                ptr,
                staging,
                bytes,
            } => self.copy_out(ptr, staging, bytes)?,
            Command::Launch(launch) => self.backend.launch(&launch),
            Command::Alloc { .. } | Command::Fence(_) => unreachable!("answered by itself"),
        };
        if done == Status::Lost {
            // At once, without the driver's farewell: it may wait for work that never ends.
            hotsled_sys::exit_now(4);
        }
        Ok(done)
    }

    fn copy_in(&mut self, staging: u64, ptr: DevicePtr, bytes: u64) -> Result<Status, LinkError> {
        let src = self.work.staging(self.work.span(staging, bytes)?);
        // SAFETY: the span is readable staging of this length, as long as `work`.
        Ok(unsafe { self.backend.copy_in(ptr, src, bytes) })
    }

    fn copy_out(&mut self, ptr: DevicePtr, staging: u64, bytes: u64) -> Result<Status, LinkError> {
        let dst = self.work.staging(self.work.span(staging, bytes)?);
        // SAFETY: the span is writable staging of this length, as long as `work`.
        let done = unsafe { self.backend.copy_out(ptr, dst, bytes) };
        if bytes > 0 && self.faults.strike(Point::CorruptResult) {
            // SAFETY: the first byte of a span that is not empty.
            let first = unsafe { dst.read_volatile() };
            // SAFETY: as above.
            unsafe { dst.write_volatile(first ^ 0x10) };
        }
        Ok(done)
    }

    fn answer(&mut self, ticket: Fence, status: u64, value: u64) -> Result<(), LinkError> {
        self.work.complete(Completion {
            ticket,
            status,
            value,
        })
    }

    fn misbehave_at(&mut self, command: &Command) {
        let faults = &self.faults;
        match command {
            Command::CopyIn { .. } if faults.strike(Point::LostAtCopyIn) => self.backend.lose(),
            Command::Launch(_) if faults.strike(Point::LostAtLaunch) => self.backend.lose(),
            Command::CopyOut { .. } if faults.strike(Point::LostAtCopyOut) => self.backend.lose(),
            Command::Launch(_) if faults.strike(Point::HangAtLaunch) => faults::hang(),
            Command::Launch(_) if faults.strike(Point::DieAtLaunch) => process::abort(),
            Command::CopyIn { .. } if faults.strike(Point::DieAtCopyIn) => process::abort(),
            Command::CopyOut { .. } if faults.strike(Point::DieAtCopyOut) => process::abort(),
            _ => {}
        }
    }
}

/// The control thread sees a link that ended in good order, too, and returns from `main`.
fn end(error: &LinkError) -> ! {
    tracing::debug!(%error, "link ended");
    thread::sleep(Duration::from_millis(200));
    process::exit(3)
}
