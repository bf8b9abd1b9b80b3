//! Serves the control socket on a thread of its own, so that no client delays the engine.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hotsled_sys::{poll, seqpacket};

use super::protocol::{Answer, Ask, MAX_REQUEST};
use crate::device::{Handle, Request};
use crate::error::{Error, Result};
use crate::shared::Shared;
use crate::socket::SocketFile;
use crate::status;

/// Longest wait for a client's request or for a client to take its answer.
const PATIENCE: Duration = Duration::from_secs(2);

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
                    serve_one(stream, &shared, &handle);
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

/// One request, one answer; whatever goes wrong concerns this client alone.
fn serve_one(stream: UnixStream, shared: &Shared, handle: &Handle) {
    if let Err(error) = try_serve(stream, shared, handle) {
        tracing::debug!(%error, "a control client");
    }
}

fn try_serve(mut stream: UnixStream, shared: &Shared, handle: &Handle) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let answer = match seqpacket::peer_uid(stream.as_fd())? {
        uid if uid == hotsled_sys::uid() => {
            read_request(&stream).map_or_else(Answer::Error, |ask| run(ask, shared, handle))
        }
        uid => Answer::Error(format!("user {uid} may not control this service")),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn read_request(stream: &UnixStream) -> std::result::Result<Ask, String> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(MAX_REQUEST as u64 + 1));
    reader
        .read_until(b'\n', &mut line)
        .map_err(|e| format!("no request: {e}"))?;
    if line.len() > MAX_REQUEST {
        return Err(format!("a request has at most {MAX_REQUEST} bytes"));
    }
    let help =
        r#"ask {"do":"status"}, {"do":"plug"}, {"do":"unplug"} or {"do":"kill","device":NAME}"#;
    serde_json::from_slice(&line).map_err(|e| format!("not a request: {e}; {help}"))
}

fn run(ask: Ask, shared: &Shared, handle: &Handle) -> Answer {
    let done = match ask {
        Ask::Status => return value(&status::collect(shared)),
        Ask::Plug(options) => {
            let plugged = handle.ask(|answer| Request::Plug(options, answer));
            plugged.map(|name| serde_json::json!({ "device": name }))
        }
        Ask::Unplug { device } => handle
            .ask(|answer| Request::Unplug(device, answer))
            .map(|()| serde_json::json!({})),
        Ask::Kill { device } => handle
            .ask(|answer| Request::Kill(device, answer))
            .map(|()| serde_json::json!({})),
    };
    done.map_or_else(|e| Answer::Error(e.to_string()), Answer::Ok)
}

fn value(of: &impl serde::Serialize) -> Answer {
    serde_json::to_value(of).map_or_else(|e| Answer::Error(e.to_string()), Answer::Ok)
}
