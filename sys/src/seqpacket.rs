//! Unix sockets that keep message boundaries, and descriptors sent over them.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{
    self, AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag,
    SockType, UnixAddr,
};

/// A received message.
#[derive(Debug)]
pub struct Received {
    /// Bytes of the message; 0 means the other end is gone.
    pub len: usize,
    /// The descriptor that came with it, if any.
    pub fd: Option<OwnedFd>,
}

/// A connected pair, closed on exec.
///
/// # Errors
/// What socketpair(2) reports.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socket::socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?)
}

/// Listens at `path`.
///
/// # Errors
/// What socket(2), bind(2) or listen(2) report.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let fd = new()?;
    socket::bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    socket::listen(&fd, Backlog::new(8)?)?;
    Ok(fd)
}

/// Accepts one connection.
///
/// # Errors
/// What accept4(2) reports.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let raw = socket::accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made the descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Connects to a listener at `path`.
///
/// # Errors
/// What connect(2) reports.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let fd = new()?;
    socket::connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(fd)
}

fn new() -> io::Result<OwnedFd> {
    Ok(socket::socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?)
}

/// The user id of the process at the other end.
///
/// # Errors
/// What getsockopt(2) reports.
pub fn peer_uid(fd: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(socket::getsockopt(&fd, socket::sockopt::PeerCredentials)?.uid())
}

/// Sends one message, with a descriptor if asked; never raises SIGPIPE.
///
/// # Errors
/// What sendmsg(2) reports; `EPIPE` when the other end is gone.
pub fn send(fd: BorrowedFd<'_>, bytes: &[u8], with: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let raw: Vec<RawFd> = with.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[_] = if raw.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL;
    socket::sendmsg::<()>(fd.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None)?;
    Ok(())
}

/// Receives one message into `buffer`, waiting until `deadline`.
///
/// # Errors
/// `TimedOut` at the deadline, `InvalidData` for a message longer than the buffer, else what
/// recvmsg(2) reports.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], deadline: Instant) -> io::Result<Received> {
    if !readable(fd, deadline)? {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let mut control = nix::cmsg_space!([RawFd; 1]);
    let mut iov = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = socket::recvmsg::<()>(fd.as_raw_fd(), &mut iov, Some(&mut control), flags)?;
    let mut received = Received {
        len: message.bytes,
        fd: None,
    };
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = part {
            // SAFETY: the kernel has just made these descriptors for us alone.
            let mut owned = fds
                .into_iter()
                .map(|raw| unsafe { OwnedFd::from_raw_fd(raw) });
            received.fd = owned.next();
        }
    }
    if message.flags.contains(MsgFlags::MSG_TRUNC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message longer than any valid one",
        ));
    }
    Ok(received)
}

/// Waits until `fd` can be read or its other end is gone; false at the deadline.
///
/// # Errors
/// What poll(2) reports.
pub fn readable(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let millis = u16::try_from(left.as_millis().saturating_add(u128::from(!left.is_zero())))
            .unwrap_or(u16::MAX);
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match nix::poll::poll(&mut fds, PollTimeout::from(millis)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Whether the other end is gone for good.
pub fn is_hung_up(fd: impl AsFd) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::empty())];
    let polled = nix::poll::poll(&mut fds, PollTimeout::ZERO);
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    polled.is_ok()
        && fds[0]
            .revents()
            .is_some_and(|events| events.intersects(gone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn messages_keep_boundaries_and_carry_descriptors() {
        let (a, b) = pair().unwrap();
        let soon = || Instant::now() + Duration::from_secs(5);
        send(a.as_fd(), b"one", None).unwrap();
        send(a.as_fd(), b"three", Some(a.as_fd())).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(receive(b.as_fd(), &mut buffer, soon()).unwrap().len, 3);
        let second = receive(b.as_fd(), &mut buffer, soon()).unwrap();
        assert_eq!(
            (second.len, second.fd.is_some(), is_hung_up(&b)),
            (5, true, false)
        );
        drop((a, second));
        assert!(is_hung_up(&b));
        assert_eq!(receive(b.as_fd(), &mut buffer, soon()).unwrap().len, 0);
    }

    #[test]
    fn deadlines_and_long_messages_are_errors() {
        let (a, b) = pair().unwrap();
        let mut buffer = [0; 4];
        let error = receive(b.as_fd(), &mut buffer, Instant::now()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        send(a.as_fd(), b"too long", None).unwrap();
        let error = receive(
            b.as_fd(),
            &mut buffer,
            Instant::now() + Duration::from_secs(5),
        )
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
