//! What a compiler's sled is made of, judged from its bytes alone.

use hotsled_abi::{JMP8_LEN, SLED_LEN, SiteAddr};
use iced_x86::{Code, Decoder, DecoderError, DecoderOptions, Instruction};

/// `endbr64`, where indirect calls land under CET.
pub const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// A run of nops, and nothing but nops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sled {
    start: SiteAddr,
    lengths: Vec<u8>,
}

/// Why bytes are no sled, or no sled that can be patched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SledError {
    /// Something else than a nop.
    #[error("`{instruction}` at {at} is no nop")]
    NotANop {
        /// Where it starts.
        at: SiteAddr,
        /// What it is, disassembled.
        instruction: String,
    },
    /// An instruction that goes on behind the bytes given.
    #[error("the instruction at {at} does not end within the sled")]
    Cut {
        /// Where it starts.
        at: SiteAddr,
    },
    /// No bytes, or an `endbr64` alone.
    #[error("there are no nops at {at}")]
    Empty {
        /// Where they should start.
        at: SiteAddr,
    },
    /// No 8-byte boundary with room for a jump behind it.
    #[error(
        "{len} bytes at {at} have no room for a jump at an 8-byte boundary; build with -fpatchable-function-entry=16"
    )]
    Short {
        /// Where the nops start.
        at: SiteAddr,
        /// How many bytes they are.
        len: usize,
    },
}

/// Where in a sled a jump goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Over one nop that is there: legal at any time.
    Ready(Place),
    /// Over several nops, which must be fused into one first.
    Fuse(Place),
}

/// One nop, there or to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its address, a multiple of 8.
    pub at: SiteAddr,
    /// Its bytes, five or more.
    pub len: u8,
}

/// Reads the nops at a function's entry: `bytes` is an optional `endbr64`, and then nops to its end.
///
/// # Errors
/// [`SledError`] where anything else is found, with its address.
pub fn analyse(bytes: &[u8], address: SiteAddr) -> Result<Sled, SledError> {
    let nops = bytes.strip_prefix(&ENDBR64).unwrap_or(bytes);
    let start = SiteAddr::new(
        address
            .get()
            .wrapping_add((bytes.len() - nops.len()) as u64),
    );
    let mut decoder = Decoder::with_ip(64, nops, start.get(), DecoderOptions::NONE);
    let mut lengths = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let at = SiteAddr::new(instruction.ip());
        if decoder.last_error() == DecoderError::NoMoreBytes {
            return Err(SledError::Cut { at });
        }
        if !is_nop(&instruction) {
            let instruction = instruction.to_string();
            return Err(SledError::NotANop { at, instruction });
        }
        lengths.push(instruction.len() as u8);
    }
    if lengths.is_empty() {
        return Err(SledError::Empty { at: start });
    }
    Ok(Sled { start, lengths })
}

/// The architecture's documented nops: `90` and `0f 1f /0`. Repeat prefixes are left out: with them
/// the same bytes mean something else on some processor or other (`f3 90` is `pause`).
fn is_nop(instruction: &Instruction) -> bool {
    let code = matches!(
        instruction.code(),
        Code::Nopw | Code::Nopd | Code::Nopq | Code::Nop_rm16 | Code::Nop_rm32 | Code::Nop_rm64
    );
    code && !instruction.has_rep_prefix() && !instruction.has_repne_prefix()
}

impl Sled {
    /// First byte.
    pub fn start(&self) -> SiteAddr {
        self.start
    }

    /// Bytes of all nops.
    pub fn len(&self) -> usize {
        self.lengths.iter().map(|&n| usize::from(n)).sum()
    }

    /// Never true: a sled has a nop.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Behind its last byte, where the function's own code starts.
    pub fn end(&self) -> SiteAddr {
        SiteAddr::new(self.start.get().wrapping_add(self.len() as u64))
    }

    /// The nops one by one.
    pub fn nops(&self) -> impl Iterator<Item = Place> + '_ {
        let mut next = self.start.get();
        self.lengths.iter().map(move |&len| {
            let at = SiteAddr::new(next);
            next = next.wrapping_add(u64::from(len));
            Place { at, len }
        })
    }

    /// Where a jump fits: over a nop that starts at an 8-byte boundary, or else at the first boundary
    /// with five bytes of nops behind it, once those are one.
    ///
    /// # Errors
    /// [`SledError::Short`] where there is no such boundary; twelve bytes always have one.
    pub fn fit(&self) -> Result<Fit, SledError> {
        let aligned = |p: &Place| p.at.get().is_multiple_of(SLED_LEN as u64);
        let jump = |p: &Place| usize::from(p.len) >= JMP8_LEN;
        if let Some(place) = self.nops().find(|p| aligned(p) && jump(p)) {
            return Ok(Fit::Ready(place));
        }
        let (at, len) = (self.start, self.len());
        let lead = (at.get().wrapping_neg() % SLED_LEN as u64) as usize;
        match len.checked_sub(lead) {
            Some(room) if room >= JMP8_LEN => Ok(Fit::Fuse(Place {
                at: SiteAddr::new(at.get().wrapping_add(lead as u64)),
                len: room.min(SLED_LEN) as u8,
            })),
            _ => Err(SledError::Short { at, len }),
        }
    }
}

#[cfg(test)]
#[path = "sled_tests.rs"]
mod tests;
