//! Serves the control socket on a thread of its own, so that no client delays the engine.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hotsled_sys::{poll, seqpacket};

use super::protocol::{Answer, Ask, MAX_REQUEST, Nothing, Plugged, write_answer};
use crate::device::{Handle, Request};
use crate::error::{Error, Result};
use crate::shared::Shared;
use crate::socket::SocketFile;
use crate::status;

/// Longest wait for a client's request or for a client to take its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Clients served at a time.
const MAX_CLIENTS: usize = 16;

/// A served control socket; drop ends it and removes the file.
pub(crate) struct Server {
    file: SocketFile,
    stop: Arc<AtomicBool>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(path: &Path, shared: Arc<Shared>, handle: Handle) -> Result<Self> {
        let (listener, file) = SocketFile::stream(path)?;
        let fail = |source| Error::Socket {
            path: path.to_owned(),
            source,
        };
        let (wake, woken) = UnixStream::pair().map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let serve = move || {
            while !stopped.load(Ordering::Acquire) {
                poll::any_readable(&[listener.as_fd(), woken.as_fd()], None);
                while let Ok((stream, _)) = listener.accept() {
                    admit(stream, &shared, &handle);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("hotsled-control".into())
            .spawn(serve)
            .map_err(fail)?;
        Ok(Self {
            file,
            stop,
            wake,
            thread: Some(thread),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.wake.write(b"x"); // the thread looks at `stop` when woken
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves a client on a thread of its own, so that a stuck one delays nobody; one too many is told so.
fn admit(mut stream: UnixStream, shared: &Arc<Shared>, handle: &Handle) {
    let Some(place) = Place::take() else {
        let busy = refusal(format!("{MAX_CLIENTS} clients are being served; try again"));
        let _ = stream.set_nonblocking(true);
        let _ = stream.write_all(busy.as_bytes()); // fits the socket's buffer, or nobody reads
        return;
    };
    let (shared, handle) = (shared.clone(), handle.clone());
    let serve = move || {
        serve_one(stream, &shared, &handle);
        drop(place);
    };
    let thread = std::thread::Builder::new().name("hotsled-client".into());
    if let Err(error) = thread.spawn(serve) {
        tracing::warn!(%error, "a control client could not be served");
    }
}

/// One of the places for clients, given back on drop.
struct Place;

static SERVED: AtomicUsize = AtomicUsize::new(0);

impl Place {
    fn take() -> Option<Self> {
        let more = |n| (n < MAX_CLIENTS).then_some(n + 1);
        let taken = SERVED.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        SERVED.fetch_sub(1, Ordering::AcqRel);
    }
}

fn refusal(why: String) -> String {
    write_answer(&Answer::<Nothing>::Err(why))
}

/// Reads until a moment in time, however the bytes trickle.
struct Until<'a> {
    stream: &'a UnixStream,
    at: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        (&mut &*self.stream).read(buffer)
    }
}

/// One request, one answer; whatever goes wrong concerns this client alone.
fn serve_one(stream: UnixStream, shared: &Shared, handle: &Handle) {
    if let Err(error) = try_serve(stream, shared, handle) {
        tracing::debug!(%error, "a control client");
    }
}

fn try_serve(mut stream: UnixStream, shared: &Shared, handle: &Handle) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let answer = match seqpacket::peer_uid(stream.as_fd())? {
        uid if uid == hotsled_sys::uid() => {
            read_request(&stream).map_or_else(refusal, |ask| run(ask, shared, handle))
        }
        uid => refusal(format!("user {uid} may not control this service")),
    };
    stream.write_all(answer.as_bytes())
}

fn read_request(stream: &UnixStream) -> std::result::Result<Ask, String> {
    let mut line = Vec::new();
    let at = Instant::now() + PATIENCE;
    let mut reader = BufReader::new(Until { stream, at }.take(MAX_REQUEST as u64 + 1));
    reader
        .read_until(b'\n', &mut line)
        .map_err(|e| format!("no request: {e}"))?;
    if line.len() > MAX_REQUEST {
        return Err(format!("a request has at most {MAX_REQUEST} bytes"));
    }
    let help =
        r#"ask {"do":"status"}, {"do":"plug"}, {"do":"unplug"} or {"do":"kill","device":NAME}"#;
    let ask = std::str::from_utf8(&line).ok().and_then(Ask::read);
    ask.ok_or_else(|| format!("not a request; {help}"))
}

fn run(ask: Ask, shared: &Shared, handle: &Handle) -> String {
    let nothing = |done: Result<()>| answer(done.map(|()| Nothing {}));
    match ask {
        Ask::Status => answer(Ok(status::collect(shared))),
        Ask::Plug(options) => {
            let plugged = handle.ask(|answer| Request::Plug(options, answer));
            answer(plugged.map(|device| Plugged { device }))
        }
        Ask::Unplug { device } => nothing(handle.ask(|answer| Request::Unplug(device, answer))),
        Ask::Kill { device } => nothing(handle.ask(|answer| Request::Kill(device, answer))),
    }
}

fn answer(done: Result<impl miniserde::Serialize>) -> String {
    write_answer(&done.map_err(|error| error.to_string()))
}
