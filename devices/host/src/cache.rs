//! Compiled code on disk, for all hosts of a user. Nothing in a file is believed before its checksum.
//!
//! ```text
//! offset  bytes  field
//!      0      8  magic "HSCACHE1"
//!      8     32  key: what was compiled, for what, by which driver and lowering
//!     40      8  length of the content
//!     48     32  BLAKE3 of the content
//!     80      .  content
//! ```
//! A file is written under a name of its own and renamed into place, so that readers see all of it or none,
//! and of several writers the last one's whole file stays.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: &[u8; 8] = b"HSCACHE1";
const HEAD: usize = 80;
/// No compiled section is longer.
const MOST: u64 = 64 << 20;

/// Names one compiled module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of these parts, in order: virtual ISA, target, driver, version of the lowering, and so on.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = blake3::Hasher::new();
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// Why a file is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It does not start as such a file does.
    #[error("it is no cache file of this version")]
    Magic,
    /// It belongs to something else.
    #[error("it was made for something else")]
    Foreign,
    /// It is shorter or longer than it says.
    #[error("its length is not what it says")]
    Length,
    /// Its content was changed.
    #[error("its checksum is wrong")]
    Checksum,
}

/// A folder of compiled code, or none.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// Keeps nothing.
    pub const OFF: Self = Self { folder: None };

    /// The user's: `hotsled` in `$XDG_CACHE_HOME`, or in `~/.cache`; made if need be. Without either
    /// nothing is kept.
    pub fn of_user() -> Self {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        base.map_or(Self::OFF, |base| Self::at(&base.join("hotsled")))
    }

    /// The folder at `path`, made if need be. A folder that others can write is not used, and said so.
    pub fn at(path: &Path) -> Self {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        let ours = |m: &Metadata| m.uid() == hotsled_sys::uid() && m.mode() & 0o022 == 0;
        match made.and_then(|()| fs::metadata(path)) {
            Ok(folder) if ours(&folder) => Self {
                folder: Some(path.to_owned()),
            },
            Ok(_) => {
                say(path, "others can write it; nothing is kept there");
                Self::OFF
            }
            Err(error) => {
                say(path, error);
                Self::OFF
            }
        }
    }

    /// Content kept under `key`. A damaged file is said, removed, and not used.
    pub fn get(&self, key: Key) -> Option<Vec<u8>> {
        let path = self.path(key)?;
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                say(&path, error);
                return None;
            }
        };
        match check(key, &bytes) {
            Ok(()) => Some(bytes[HEAD..].to_vec()),
            Err(damage) => {
                say(&path, format_args!("{damage}; compiled again"));
                let _ = fs::remove_file(&path); // the new one is renamed over it anyway
                None
            }
        }
    }

    /// Keeps content; what cannot be written is only said.
    pub fn put(&self, key: Key, content: &[u8]) {
        let Some(path) = self.path(key).filter(|_| content.len() as u64 <= MOST) else {
            return;
        };
        if let Err(error) = write(&path, key, content) {
            say(&path, error);
        }
    }

    fn path(&self, key: Key) -> Option<PathBuf> {
        let name: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(self.folder.as_ref()?.join(name))
    }
}

fn say(path: &Path, what: impl std::fmt::Display) {
    eprintln!("hotsled-device: cache {}: {what}", path.display());
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(hotsled_sys::NO_FOLLOW)
        .open(path)?;
    file.take(HEAD as u64 + MOST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check(key: Key, bytes: &[u8]) -> Result<(), Damage> {
    let (head, content) = bytes.split_at_checked(HEAD).ok_or(Damage::Length)?;
    if head[..8] != *MAGIC {
        return Err(Damage::Magic);
    }
    if head[8..40] != key.0 {
        return Err(Damage::Foreign);
    }
    if head[40..48] != (content.len() as u64).to_le_bytes() {
        return Err(Damage::Length);
    }
    if head[48..80] != *blake3::hash(content).as_bytes() {
        return Err(Damage::Checksum);
    }
    Ok(())
}

fn write(path: &Path, key: Key, content: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let own = path.with_extension(format!("{}-{number}", hotsled_sys::pid()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&own)?;
    let written = fill(file, key, content).and_then(|()| fs::rename(&own, path));
    if written.is_err() {
        let _ = fs::remove_file(&own); // the first error is the one to tell
    }
    written
}

fn fill(mut file: File, key: Key, content: &[u8]) -> io::Result<()> {
    file.write_all(MAGIC)?;
    file.write_all(&key.0)?;
    file.write_all(&(content.len() as u64).to_le_bytes())?;
    file.write_all(blake3::hash(content).as_bytes())?;
    file.write_all(content)
}
