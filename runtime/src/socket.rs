//! Sockets in the file system: private, never stolen, removed when done.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use hotsled_sys::seqpacket;

use crate::error::{Error, Result};

/// A bound socket's file; removed on drop.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // gone already is as good
    }
}

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Listens for streams at `path`, mode 0600.
    pub(crate) fn stream(path: &Path) -> Result<(UnixListener, Self)> {
        bind(path, |path| UnixListener::bind(path))
    }

    /// Listens for packets at `path`, mode 0600.
    pub(crate) fn seqpacket(path: &Path) -> Result<(OwnedFd, Self)> {
        bind(path, seqpacket::listen)
    }
}

fn bind<T>(path: &Path, listen: impl FnOnce(&Path) -> io::Result<T>) -> Result<(T, SocketFile)> {
    let fail = |source| Error::Socket {
        path: path.to_owned(),
        source,
    };
    make_directory(path).map_err(fail)?;
    remove_stale(path)?;
    let listener = listen(path).map_err(fail)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fail)?;
    Ok((listener, file))
}

/// A directory that we make is ours alone.
fn make_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.exists() => fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent),
        _ => Ok(()),
    }
}

/// Removes a socket that nobody serves; refuses one that somebody does, and any other file.
fn remove_stale(path: &Path) -> Result<()> {
    let fail = |source| Error::Socket {
        path: path.to_owned(),
        source,
    };
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(fail(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file that is no socket",
        )));
    }
    let served = UnixStream::connect(path).is_ok() || seqpacket::connect(path).is_ok();
    if served {
        return Err(Error::SocketInUse(path.to_owned()));
    }
    fs::remove_file(path).map_err(fail)
}
