//! Pools of blocks near the text they serve.

use std::io;
use std::os::fd::AsFd;

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_sys::map::{Access, Mapping, Sharing};
use hotsled_sys::maps::{self, Region};
use hotsled_sys::memfd;
use hotsled_sys::page::{PAGE, PageLen};

use crate::block::{BLOCK_LEN, dispatch_block};

/// How far a pool may lie from the text: well within rel32, so that sleds anywhere in an object of
/// half a gibibyte reach every block.
const REACH: u64 = 1 << 30;

/// Left free between a mapping and the pool below it where the gap is large: an object that is unloaded
/// and loaded again then finds its old place, and its sleds their old blocks.
const ROOM: u64 = 64 << 20;

/// One past the highest address of a program.
const END_OF_USER: u64 = 0x7fff_ffff_f000;

/// Bytes in front of the blocks; the first eight hold the dispatch address.
const HEAD: usize = 64;

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum TrampolineError {
    /// `/proc/self/maps` could not be read.
    #[error("cannot read /proc/self/maps: {0}; mount /proc")]
    Maps(#[source] io::Error),
    /// No free address range within reach.
    #[error("no {bytes} free bytes within reach of {text}")]
    NoRoom {
        /// The text to serve.
        text: SiteAddr,
        /// Bytes wanted.
        bytes: usize,
    },
    /// The file for the code could not be made, written or mapped.
    #[error("cannot publish trampolines ({what}): {source}")]
    Publish {
        /// Step that failed.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Published blocks for a run of sites; lives as long as the process.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    first_block: u64,
    first_site: u32,
    blocks: u32,
}

impl Pool {
    /// Publishes one block for each of `sites` near `text`, all leading to `dispatch`.
    ///
    /// # Errors
    /// [`TrampolineError`]; nothing is mapped then.
    pub fn publish(
        text: SiteAddr,
        dispatch: TargetAddr,
        sites: std::ops::Range<u32>,
    ) -> Result<Self, TrampolineError> {
        let blocks = sites.len();
        let base = publish_code(text, code(dispatch, sites.clone()))?;
        Ok(Self {
            first_block: base.get() + HEAD as u64,
            first_site: sites.start,
            blocks: blocks as u32,
        })
    }

    /// Each block with its site, for whoever names them.
    pub fn blocks(&self) -> impl Iterator<Item = (SiteId, TargetAddr)> + use<> {
        let (pool, sites) = (*self, self.first_site..self.first_site + self.blocks);
        sites
            .map(SiteId)
            .filter_map(move |s| Some((s, pool.target(s)?)))
    }

    /// Where the sled of `site` shall jump, if the pool serves it.
    pub fn target(&self, site: SiteId) -> Option<TargetAddr> {
        let at = site
            .0
            .checked_sub(self.first_site)
            .filter(|&at| at < self.blocks)?;
        Some(TargetAddr::new(
            self.first_block + u64::from(at) * BLOCK_LEN as u64,
        ))
    }
}

/// Publishes position-independent code near `text`, never writable and never unmapped, and says where
/// it starts. What is left of its last page is breakpoints.
///
/// # Errors
/// [`TrampolineError`]; nothing is mapped then.
pub fn publish_code(text: SiteAddr, mut code: Vec<u8>) -> Result<TargetAddr, TrampolineError> {
    let len = PageLen::holding(code.len());
    code.resize(len.bytes(), 0xcc);
    let fd = memfd::create(c"hotsled-trampolines", len).map_err(publish("memfd"))?;
    write(fd.as_fd(), len, &code).map_err(publish("write"))?;
    memfd::seal_contents(fd.as_fd()).map_err(publish("seal"))?;
    map_near(fd.as_fd(), text, len).map(TargetAddr::new)
}

fn publish(what: &'static str) -> impl Fn(io::Error) -> TrampolineError {
    move |source| TrampolineError::Publish { what, source }
}

fn code(dispatch: TargetAddr, sites: std::ops::Range<u32>) -> Vec<u8> {
    let mut code = dispatch.get().to_le_bytes().to_vec();
    code.resize(HEAD, 0xcc);
    for site in sites {
        let at = code.len();
        code.extend(dispatch_block(SiteId(site), at, 0));
    }
    code
}

/// Fills the file through a mapping that is gone before any executable one exists.
fn write(fd: std::os::fd::BorrowedFd<'_>, len: PageLen, code: &[u8]) -> io::Result<()> {
    let mapping = Mapping::of_file(fd, len, Access::ReadWrite, Sharing::Shared)?;
    // SAFETY: the mapping is `len` bytes, `code` was resized to that, and nobody else has it.
    unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), mapping.start(), code.len()) };
    Ok(())
}

/// Maps the code at the free place nearest below `text`, or above if all is full there. Another thread
/// may take the place between look and map; MAP_FIXED_NOREPLACE then fails and the next place is tried.
fn map_near(
    fd: std::os::fd::BorrowedFd<'_>,
    text: SiteAddr,
    len: PageLen,
) -> Result<u64, TrampolineError> {
    let regions = maps::read().map_err(TrampolineError::Maps)?;
    let bytes = len.bytes() as u64;
    let below = places_below(&regions, text.get(), bytes);
    for address in below
        .into_iter()
        .chain(places_above(&regions, text.get(), bytes))
    {
        match Mapping::of_file_at(fd, address, len, Access::ReadExecute) {
            Ok(mapping) => return Ok(mapping.leak() as u64),
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {}
            Err(source) => {
                return Err(TrampolineError::Publish {
                    what: "map",
                    source,
                });
            }
        }
    }
    Err(TrampolineError::NoRoom {
        text,
        bytes: len.bytes(),
    })
}

/// Start addresses of free places that end below `text` within reach, nearest first, one page off
/// every neighbour so that an overrun there faults.
fn places_below(regions: &[Region], text: u64, len: u64) -> Vec<u64> {
    let floor = text.saturating_sub(REACH).max(1 << 16);
    let ends = regions.iter().map(|r| r.end);
    let gaps = std::iter::once(0)
        .chain(ends)
        .zip(regions.iter().map(|r| r.start));
    let below = gaps.filter(|&(_, end)| end <= text);
    let mut gaps: Vec<_> = below.collect();
    gaps.reverse();
    let places = gaps.into_iter().flat_map(|(start, end)| {
        let bottom = start.saturating_add(PAGE).max(floor);
        let at = |off: u64| end.checked_sub(off + PAGE + len).filter(|&at| at >= bottom);
        at(ROOM).or_else(|| at(0))
    });
    places.collect()
}

/// Start addresses of free places above the mapping that holds `text`, likewise.
fn places_above(regions: &[Region], text: u64, len: u64) -> Vec<u64> {
    let ceiling = text.saturating_add(REACH).min(END_OF_USER);
    let mut places = Vec::new();
    let above = regions.iter().enumerate().filter(|(_, r)| r.end > text);
    for (at, region) in above {
        let next = regions.get(at + 1).map_or(END_OF_USER, |r| r.start);
        let start = region.end.saturating_add(PAGE);
        let end = start.saturating_add(len);
        if end <= ceiling && end.saturating_add(PAGE) <= next {
            places.push(start);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: u64, end: u64) -> Region {
        Region {
            start,
            end,
            write: false,
            execute: false,
            shared: false,
            offset: 0,
            name: String::new(),
        }
    }

    #[test]
    fn places_are_free_below_and_near() {
        let regions = [
            region(0x10_0000, 0x20_0000),
            region(0x40_0000, 0x50_0000),
            region(0x50_0000, 0x60_0000),
        ];
        assert_eq!(
            places_below(&regions, 0x50_0800, 0x1000),
            [0x3f_e000, 0xf_e000]
        );
        assert!(places_below(&regions, 0x50_0800, 0x20_0000).is_empty());
    }

    #[test]
    fn a_large_gap_keeps_room_for_what_comes_back() {
        let regions = [
            region(0x10_0000, 0x20_0000),
            region(0x1000_0000, 0x1010_0000),
        ];
        assert_eq!(
            places_below(&regions, 0x1000_0800, 0x1000),
            [0x1000_0000 - ROOM - 0x2000, 0xf_e000]
        );
    }

    #[test]
    fn places_above_are_free_and_near() {
        let regions = [
            region(0x40_0000, 0x50_0000),
            region(0x50_1000, 0x60_0000),
            region(0x70_0000, 0x80_0000),
        ];
        assert_eq!(
            places_above(&regions, 0x40_0800, 0x1000),
            [0x60_1000, 0x80_1000]
        );
        assert_eq!(places_above(&regions, 0x40_0800, 0x10_0000), [0x80_1000]);
        assert!(places_above(&regions, 0x40_0800, REACH).is_empty());
    }

    extern "C" fn probe(_: u64, _: u64, _: u64, site: u32) -> u32 {
        site * 2
    }

    #[test]
    fn blocks_run_within_reach_and_are_never_writable() {
        let text = SiteAddr::new(probe as *const () as u64);
        let pool = Pool::publish(text, TargetAddr::new(text.get()), 5..900).unwrap();
        let target = pool.target(SiteId(899)).unwrap();
        assert!(hotsled_abi::jmp_word(text, target).is_some());
        assert!(pool.target(SiteId(900)).is_none() && pool.target(SiteId(4)).is_none());
        // SAFETY: the block at `target` jumps to `probe`, which has this signature but for the site.
        let block = unsafe {
            std::mem::transmute::<u64, extern "C" fn(u64, u64, u64) -> u32>(target.get())
        };
        assert_eq!(block(0, 0, 0), 1798);
        let regions = maps::read().unwrap();
        assert!(regions.iter().all(|r| !(r.write && r.execute)));
        assert!(
            regions
                .iter()
                .any(|r| (r.start..r.end).contains(&target.get()) && r.execute)
        );
    }
}
