//! `/proc/self/maps`.

use std::fs;
use std::io;

/// One mapped region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Writable.
    pub write: bool,
    /// Executable.
    pub execute: bool,
    /// Shared with whoever maps the same file.
    pub shared: bool,
    /// Place in the file of the first address.
    pub offset: u64,
    /// File name, pseudo name, or empty.
    pub name: String,
}

/// The regions of this process in ascending order.
///
/// # Errors
/// When `/proc` cannot be read, or a line has a form that proc(5) does not know.
pub fn read() -> io::Result<Vec<Region>> {
    fs::read_to_string("/proc/self/maps")?
        .lines()
        .map(|line| parse(line).ok_or_else(|| bad(line)))
        .collect()
}

fn bad(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("/proc/self/maps: unknown line {line:?}"),
    )
}

fn parse(line: &str) -> Option<Region> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?.as_bytes();
    let offset = fields.next()?;
    Some(Region {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        write: *rights.get(1)? == b'w',
        execute: *rights.get(2)? == b'x',
        shared: *rights.get(3)? == b's',
        offset: u64::from_str_radix(offset, 16).ok()?,
        name: fields.nth(2).unwrap_or("").trim_start().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_function_is_in_an_executable_region_that_is_not_writable() {
        let here = parse as *const () as u64;
        let regions = read().unwrap();
        let region = regions
            .iter()
            .find(|r| (r.start..r.end).contains(&here))
            .unwrap();
        assert!(region.execute && !region.write, "{region:?}");
    }

    #[test]
    fn names_with_spaces_stay_whole() {
        let region = parse("1000-2000 r-xp 00003000 fe:00 12    /tmp/a b (deleted)").unwrap();
        assert_eq!(
            (region.name.as_str(), region.offset),
            ("/tmp/a b (deleted)", 0x3000)
        );
        assert!(!region.shared);
    }
}
