//! The engine's end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use hotsled_sys::seqpacket;

use crate::message::MAX_PACKET;
use crate::queue::Queue;
use crate::shared::Shared;
use crate::{DeviceInfo, DownReason, LinkError, Message, ModuleId, PROTOCOL_VERSION};

/// Choices of the engine's end.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Longest wait for the host's greeting.
    pub handshake: Duration,
    /// Bytes of staging.
    pub staging: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            staging: 64 << 20,
        }
    }
}

/// Whether a link is up; shared by all who use it. The first reason for being down stays.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<OnceLock<DownReason>>);

impl Health {
    /// Declares the link down; false if it was down already.
    pub fn mark_down(&self, reason: DownReason) -> bool {
        self.0.set(reason).is_ok()
    }

    /// Why the link is down, if it is.
    pub fn down(&self) -> Option<DownReason> {
        self.0.get().cloned()
    }

    /// Fails if the link is down.
    ///
    /// # Errors
    /// [`LinkError::Down`].
    pub fn check(&self) -> Result<(), LinkError> {
        self.down()
            .map_or(Ok(()), |reason| Err(LinkError::Down(reason)))
    }
}

/// What a host asks for between answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlEvent {
    /// It wants to be unplugged in good order.
    LeaveRequest,
}

/// A lowered module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lowered {
    /// Its number in the device.
    pub module: ModuleId,
    /// What lowering took.
    pub micros: u64,
}

/// The engine's end of one link.
#[derive(Debug)]
pub struct Client {
    socket: Arc<OwnedFd>,
    shared: Arc<Shared>,
    info: DeviceInfo,
    health: Health,
    queue_taken: Mutex<bool>,
}

impl Client {
    /// Greets a host that has just connected.
    ///
    /// # Errors
    /// Another version, garbage, silence until the deadline, or a host that goes at once.
    pub fn accept(socket: OwnedFd, options: &ClientOptions) -> Result<Self, LinkError> {
        let deadline = Instant::now() + options.handshake;
        let info = match receive(socket.as_fd(), deadline, "the host's greeting")? {
            Message::Hello(_, info) => info,
            other => {
                return Err(LinkError::garbage(format!(
                    "{other:?} instead of a greeting"
                )));
            }
        };
        let (shared, fd) = Shared::create(options.staging)?;
        send(
            socket.as_fd(),
            &Message::Welcome(PROTOCOL_VERSION, options.staging),
            Some(fd.as_fd()),
        )?;
        let (socket, shared) = (Arc::new(socket), Arc::new(shared));
        Ok(Self {
            socket,
            shared,
            info,
            health: Health::default(),
            queue_taken: Mutex::new(false),
        })
    }

    /// What the device said of itself.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// Whether the link is up.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Has a module lowered; `key` is the caller's own number for it.
    ///
    /// # Errors
    /// [`LinkError::Refused`] leaves the link up; anything else should end it.
    pub fn lower(&self, key: u32, module: &[u8], limit: Duration) -> Result<Lowered, LinkError> {
        let deadline = Instant::now() + limit;
        if module.len() > MAX_PACKET - 64 {
            return Err(LinkError::Refused {
                reason: format!("a module of {} bytes", module.len()),
            });
        }
        send(
            self.socket.as_fd(),
            &Message::Lower(key, module.to_vec()),
            None,
        )?;
        match receive(self.socket.as_fd(), deadline, "lowering")? {
            Message::Lowered(k, module, micros) if k == key => Ok(Lowered { module, micros }),
            Message::Refused(k, reason) if k == key => Err(LinkError::Refused { reason }),
            other => Err(LinkError::garbage(format!(
                "{other:?} as answer to lowering {key}"
            ))),
        }
    }

    /// The data path; the lane takes it, once.
    ///
    /// # Errors
    /// [`LinkError::Unfit`] the second time.
    pub fn queue(&self) -> Result<Queue, LinkError> {
        let mut taken = self.queue_taken.lock().unwrap_or_else(|e| e.into_inner());
        if std::mem::replace(&mut *taken, true) {
            return Err(LinkError::Unfit {
                what: "a second queue of one link",
            });
        }
        Ok(Queue::new(
            self.shared.clone(),
            self.socket.clone(),
            self.health.clone(),
        ))
    }

    /// Becomes readable when the host says something or is gone.
    pub fn control_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads what the host said unasked; call when [`Client::control_fd`] is readable.
    ///
    /// # Errors
    /// When the host is gone or sent garbage.
    pub fn read_control(&self) -> Result<Option<ControlEvent>, LinkError> {
        if !seqpacket::readable(self.socket.as_fd(), Instant::now())
            .map_err(LinkError::os("poll"))?
        {
            return Ok(None);
        }
        match receive(self.socket.as_fd(), Instant::now(), "a control message")? {
            Message::Leave => Ok(Some(ControlEvent::LeaveRequest)),
            other => Err(LinkError::garbage(format!("{other:?} out of turn"))),
        }
    }

    /// Ends the link in good order; waits for the host's farewell.
    ///
    /// # Errors
    /// When the host does not answer by the deadline; the link is down all the same.
    pub fn goodbye(&self, limit: Duration) -> Result<(), LinkError> {
        let deadline = Instant::now() + limit;
        self.health.mark_down(DownReason::Ended);
        send(self.socket.as_fd(), &Message::Goodbye, None)?;
        loop {
            match receive(self.socket.as_fd(), deadline, "the host's farewell")? {
                Message::Farewell => return Ok(()),
                Message::Leave => {}
                other => {
                    return Err(LinkError::garbage(format!(
                        "{other:?} instead of a farewell"
                    )));
                }
            }
        }
    }
}

pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: &Message,
    fd: Option<BorrowedFd<'_>>,
) -> Result<(), LinkError> {
    seqpacket::send(socket, &message.encode(), fd)
        .map_err(LinkError::os("sending a control message"))
}

pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    deadline: Instant,
    what: &'static str,
) -> Result<Message, LinkError> {
    receive_with(socket, deadline, what).map(|(message, _)| message)
}

pub(crate) fn receive_with(
    socket: BorrowedFd<'_>,
    deadline: Instant,
    what: &'static str,
) -> Result<(Message, Option<OwnedFd>), LinkError> {
    let mut buffer = vec![0; MAX_PACKET];
    let received =
        seqpacket::receive(socket, &mut buffer, deadline).map_err(LinkError::os(what))?;
    if received.len == 0 {
        return Err(LinkError::Down(DownReason::Closed));
    }
    Ok((Message::decode(&buffer[..received.len])?, received.fd))
}
