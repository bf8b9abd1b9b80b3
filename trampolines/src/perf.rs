//! Names for perf, which reads `/tmp/perf-PID.map` to resolve addresses that no file holds.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::{BLOCK_LEN, Symbol};

/// Where perf looks for the names of this process.
pub fn map_path() -> PathBuf {
    PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()))
}

/// Appends a line for each symbol to the map at `path`; other code generators may write there, too.
///
/// # Errors
/// When the file cannot be written, or is a link that somebody else may have put there.
pub fn append(path: &Path, symbols: &[Symbol]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let line = |s: &Symbol| format!("{:x} {BLOCK_LEN:x} {}\n", s.at.get(), s.name);
    file.write_all(symbols.iter().map(line).collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotsled_abi::TargetAddr;

    #[test]
    fn lines_are_added_and_links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let map = directory.path().join("map");
        let symbol = |at, name: &str| Symbol {
            at: TargetAddr::new(at),
            name: name.into(),
        };
        append(&map, &[symbol(0x1000, "a::b")]).unwrap();
        append(&map, &[symbol(0x2010, "c d")]).unwrap();
        let text = std::fs::read_to_string(&map).unwrap();
        assert_eq!(text, "1000 10 a::b\n2010 10 c d\n");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&map, &link).unwrap();
        assert!(append(&link, &[]).is_err());
    }
}
