//! The device host's end.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotsled_sys::seqpacket;

use crate::client::{receive, receive_with, send};
use crate::shared::{Counter, Shared, StagingSpan};
use crate::{
    Command, DeviceInfo, DownReason, Fence, LinkError, Message, ModuleId, PROTOCOL_VERSION,
};

/// Choices of the host's end.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Longest wait for the engine's welcome.
    pub handshake: Duration,
    /// Version to announce; anything but [`PROTOCOL_VERSION`] is for tests of refusal.
    pub version: u16,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            version: PROTOCOL_VERSION,
        }
    }
}

/// An answer to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// What it answers.
    pub ticket: Fence,
    /// 0 done, 1 faulted, 2 failed.
    pub status: u64,
    /// An address for an allocation.
    pub value: u64,
}

/// What the engine asks on the control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Lower this module.
    Lower(u32, Vec<u8>),
    /// The link ends in good order.
    Goodbye,
}

/// The control half of the host's end; the data half is [`Work`].
#[derive(Debug)]
pub struct Server {
    socket: Arc<OwnedFd>,
}

/// The data half: commands in order, and answers.
#[derive(Debug)]
pub struct Work {
    shared: Shared,
    socket: Arc<OwnedFd>,
    taken: u32,
    completed: u32,
}

impl Server {
    /// Greets an engine.
    ///
    /// # Errors
    /// Another version, garbage, silence until the deadline, or an engine that goes at once.
    pub fn connect(
        socket: OwnedFd,
        info: DeviceInfo,
        options: &ServerOptions,
    ) -> Result<(Self, Work), LinkError> {
        send(socket.as_fd(), &Message::Hello(options.version, info), None)?;
        let deadline = Instant::now() + options.handshake;
        let (message, fd) = receive_with(socket.as_fd(), deadline, "the engine's welcome")?;
        let (Message::Welcome(_, staging), Some(fd)) = (message, fd) else {
            return Err(LinkError::garbage("no welcome with a shared file"));
        };
        let shared = Shared::open(fd.as_fd(), staging)?;
        let socket = Arc::new(socket);
        let work = Work {
            shared,
            socket: socket.clone(),
            taken: 0,
            completed: 0,
        };
        Ok((Self { socket }, work))
    }

    /// The next request, or `None` after a quarter second without one.
    ///
    /// # Errors
    /// The engine's end, or garbage.
    pub fn next(&self) -> Result<Option<Control>, LinkError> {
        match receive(
            self.socket.as_fd(),
            Instant::now() + Duration::from_millis(250),
            "a request",
        ) {
            Ok(Message::Lower(key, module)) => Ok(Some(Control::Lower(key, module))),
            Ok(Message::Goodbye) => Ok(Some(Control::Goodbye)),
            Ok(other) => Err(LinkError::garbage(format!("{other:?} from an engine"))),
            Err(LinkError::Timeout { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers a request to lower.
    ///
    /// # Errors
    /// The engine's end.
    pub fn lowered(
        &self,
        key: u32,
        result: Result<(ModuleId, u64), String>,
    ) -> Result<(), LinkError> {
        let message = match result {
            Ok((module, micros)) => Message::Lowered(key, module, micros),
            Err(reason) => Message::Refused(key, reason),
        };
        send(self.socket.as_fd(), &message, None)
    }

    /// Asks to be unplugged.
    ///
    /// # Errors
    /// The engine's end.
    pub fn leave(&self) -> Result<(), LinkError> {
        send(self.socket.as_fd(), &Message::Leave, None)
    }

    /// Answers a goodbye.
    ///
    /// # Errors
    /// The engine's end.
    pub fn farewell(&self) -> Result<(), LinkError> {
        send(self.socket.as_fd(), &Message::Farewell, None)
    }

    /// Sends any bytes as a packet; for hosts that misbehave on purpose.
    ///
    /// # Errors
    /// The engine's end.
    pub fn send_raw(&self, packet: &[u8]) -> Result<(), LinkError> {
        seqpacket::send(self.socket.as_fd(), packet, None).map_err(LinkError::os("sending"))
    }
}

impl Work {
    /// The next command, waiting for one; `None` after a while without one.
    ///
    /// # Errors
    /// The engine's end, or garbage.
    pub fn take(&mut self) -> Result<Option<Command>, LinkError> {
        if self.shared.between(Counter::Submitted, self.taken)? == 0 {
            let deadline = Instant::now() + Duration::from_millis(250);
            let socket = &self.socket;
            let alive = || match seqpacket::is_hung_up(&**socket) {
                true => Err(LinkError::Down(DownReason::Closed)),
                false => Ok(()),
            };
            if !self
                .shared
                .wait(Counter::Submitted, self.taken, deadline, alive)?
            {
                return Ok(None);
            }
        }
        let words = self.shared.read_command(self.taken);
        self.taken = self.taken.wrapping_add(1);
        self.shared.advance(Counter::Taken);
        self.shared.ring(Counter::Taken);
        Command::decode(&words).map(Some)
    }

    /// Answers a ticket.
    ///
    /// # Errors
    /// An engine that collects nothing, or is gone.
    pub fn complete(&mut self, completion: Completion) -> Result<(), LinkError> {
        let pending = self
            .completed
            .wrapping_sub(self.shared.load(Counter::Collected));
        if Shared::is_full(pending) {
            return Err(LinkError::garbage(
                "an engine that does not collect answers",
            ));
        }
        let Completion {
            ticket,
            status,
            value,
        } = completion;
        self.shared
            .write_completion(self.completed, [ticket.0, status, value]);
        self.completed = self.completed.wrapping_add(1);
        self.shared.advance(Counter::Completed);
        self.shared.ring(Counter::Completed);
        Ok(())
    }

    /// A range of staging that a command named.
    ///
    /// # Errors
    /// [`LinkError::Garbage`] for a range outside staging.
    pub fn span(&self, offset: u64, bytes: u64) -> Result<StagingSpan, LinkError> {
        self.shared.span(offset, bytes)
    }

    /// First byte of a range of staging. The engine may write it at any time: use raw copies only,
    /// within the span's length and this value's life.
    pub fn staging(&self, span: StagingSpan) -> *mut u8 {
        self.shared.staging(span)
    }
}
