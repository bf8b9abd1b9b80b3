//! Makes one nop of many, while no thread can stand among them.

use std::io;
use std::time::{Duration, Instant};

use hotsled_abi::SiteAddr;
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::procmem::ProcMem;
use hotsled_sys::{signal, threads};

use crate::sled::{Place, Sled};

/// What to do with sleds of several nops where a jump needs one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fuse {
    /// Fuse them if the calling thread is the process's only one, and refuse them otherwise.
    AtLoad,
    /// Leave them alone and refuse them.
    #[default]
    Refuse,
}

/// The nops that Intel's and AMD's manuals recommend, by length.
const NOPS: [&[u8]; 8] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &hotsled_abi::NOP8,
];

/// How long a thread that was joined may still be listed.
const TRANSIENT: Duration = Duration::from_millis(250);

/// A sled's new bytes, at its start.
pub(crate) struct Fusion {
    at: SiteAddr,
    to: Vec<u8>,
}

/// Nops up to `place`, one nop there, nops to the end of `sled`.
pub(crate) fn fusion(sled: &Sled, place: Place) -> Fusion {
    let lead = (place.at.get() - sled.start().get()) as usize;
    let rest = sled.len() - lead - usize::from(place.len);
    let to = [lead, usize::from(place.len), rest].map(fill).concat();
    Fusion {
        at: sled.start(),
        to,
    }
}

fn fill(len: usize) -> Vec<u8> {
    let longest = NOPS.len();
    let mut nops = NOPS[longest - 1].repeat(len / longest);
    if let Some(last) = (len % longest).checked_sub(1) {
        nops.extend(NOPS[last]);
    }
    nops
}

/// Why nothing was fused.
#[derive(Debug, thiserror::Error)]
pub enum FuseError {
    /// Another thread may stand among the nops.
    #[error("{threads} threads run, and one may stand among the nops; adopt before starting any")]
    Threads {
        /// How many.
        threads: usize,
    },
    /// `/proc`, or writing through it, failed.
    #[error("cannot rewrite own text: {0}; mount /proc, and allow forced writes")]
    Write(#[from] io::Error),
}

/// Writes fusions while no thread can be inside one.
///
/// 1. Block signals, so that no handler starts a thread or runs a sled.
/// 2. Count threads: this one must be the only one. It stands here, hence in no sled, and its return
///    addresses lie in none either, because a nop calls nothing.
/// 3. Write, then serialise this core.
///
/// A write that fails is undone, as far as that goes.
///
/// # Safety
/// Each fusion's bytes are those of a sled that holds nops only. The caller runs in no signal handler
/// and shares its memory with no other process (vfork, clone without CLONE_THREAD).
pub(crate) unsafe fn at_load(fusions: &[Fusion]) -> Result<(), FuseError> {
    let _signals = signal::Blocked::all();
    let threads = settled_count()?;
    if threads != 1 {
        return Err(FuseError::Threads { threads });
    }
    let mem = ProcMem::open()?;
    for fusion in fusions {
        write(&mem, fusion)?;
    }
    Ok(Barriers::register()?.sync_cores()?)
}

/// Counts threads, again for a while: one that was joined is still listed until the kernel is done.
fn settled_count() -> io::Result<usize> {
    let deadline = Instant::now() + TRANSIENT;
    loop {
        let threads = threads::count()?;
        if threads == 1 || Instant::now() >= deadline {
            return Ok(threads);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn write(mem: &ProcMem, fusion: &Fusion) -> io::Result<()> {
    let mut before = vec![0; fusion.to.len()];
    mem.read(fusion.at.get(), &mut before)?;
    // SAFETY: no other thread runs, so none sees a half; the range is a sled (contract of `at_load`).
    let written = unsafe { mem.write(fusion.at.get(), &fusion.to) };
    if written.is_err() {
        // SAFETY: as above; these are the bytes that were there.
        let _ = unsafe { mem.write(fusion.at.get(), &before) };
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sled::{Fit, analyse};

    #[test]
    fn a_fused_sled_is_nops_of_the_same_length_with_one_that_a_jump_fits_over() {
        for (len, start) in (12..80).flat_map(|len| (0..8).map(move |o| (len, 0x1000 + o))) {
            let start = SiteAddr::new(start);
            let sled = analyse(&vec![0x90; len], start).unwrap();
            let Fit::Fuse(place) = sled.fit().unwrap() else {
                panic!("one-byte nops are never ready")
            };
            let fusion = fusion(&sled, place);
            let fused = analyse(&fusion.to, start).unwrap();
            assert_eq!((fused.len(), fusion.at), (len, start));
            assert!(fused.nops().any(|nop| nop == place));
            assert!(matches!(fused.fit(), Ok(Fit::Ready(p)) if p == place));
        }
    }

    #[test]
    fn beside_other_threads_nothing_is_fused() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        // SAFETY: there are no fusions to write.
        let refused = unsafe { at_load(&[]) };
        assert!(matches!(refused, Err(FuseError::Threads { threads: 2.. })));
        drop(stop);
        let _ = thread.join();
    }
}
