//! The numbers of the compiler's flag, and the part of an entry that calls pass.

use hotsled_abi::SiteAddr;

use crate::sled::{ENDBR64, Sled, SledError, analyse};

/// The two numbers of `-fpatchable-function-entry=nops,before`.
///
/// Neither can be read from a binary: a function whose own code begins with nops looks like one with
/// a longer sled, and a branch may lead to those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    nops: u16,
    before: u16,
}

/// Numbers that leave no nop for calls to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("-fpatchable-function-entry={nops},{before} leaves no nop behind the entry")]
pub struct LayoutError {
    nops: u16,
    before: u16,
}

/// A function's entry, found behind its row's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where calls go.
    pub function: SiteAddr,
    /// The nops that they pass.
    pub sled: Sled,
}

impl Layout {
    /// Takes the flag's numbers; `before` is 0 where the flag names one only.
    ///
    /// # Errors
    /// When no nop is left behind the entry.
    pub const fn new(nops: u16, before: u16) -> Result<Self, LayoutError> {
        if before < nops {
            Ok(Self { nops, before })
        } else {
            Err(LayoutError { nops, before })
        }
    }

    /// Most bytes of a row's nops, an `endbr64` among them.
    pub(crate) fn window(self) -> usize {
        usize::from(self.nops) + ENDBR64.len()
    }

    /// Where calls go, by a row's address.
    pub(crate) fn entry(self, row: SiteAddr) -> SiteAddr {
        SiteAddr::new(row.get().wrapping_add(u64::from(self.before)))
    }

    /// Reads an entry from the bytes at its row's address, of which [`window`](Self::window) are
    /// wanted; `preceding` are the four before.
    ///
    /// # Errors
    /// [`SledError`] where there are not just nops.
    pub(crate) fn locate(
        self,
        bytes: &[u8],
        row: SiteAddr,
        preceding: [u8; 4],
    ) -> Result<Entry, SledError> {
        let before = usize::from(self.before);
        let (front, rest) = bytes
            .split_at_checked(before)
            .ok_or(SledError::Cut { at: row })?;
        if before > 0 {
            analyse(front, row)?;
        }
        let entry = self.entry(row);
        let endbr = if rest.starts_with(&ENDBR64) {
            ENDBR64.len()
        } else {
            0
        };
        let len = usize::from(self.nops) - before + endbr;
        let nops = rest.get(..len).ok_or(SledError::Cut { at: entry })?;
        let landing = before == 0 && endbr == 0 && preceding == ENDBR64;
        let function = entry.get() - if landing { ENDBR64.len() as u64 } else { 0 };
        Ok(Entry {
            function: SiteAddr::new(function),
            sled: analyse(nops, entry)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: SiteAddr = SiteAddr::new(0x1000);

    fn locate(nops: u16, before: u16, bytes: &[u8], preceding: [u8; 4]) -> (u64, u64, usize) {
        let layout = Layout::new(nops, before).unwrap();
        let entry = layout.locate(bytes, ROW, preceding).unwrap();
        (
            entry.function.get(),
            entry.sled.start().get(),
            entry.sled.len(),
        )
    }

    #[test]
    fn calls_pass_the_nops_behind_the_entry_and_its_endbr64() {
        let endbr = ENDBR64.to_vec();
        let body = vec![0x55; 8];
        let sled = |n| vec![0x90; n];
        let plain = [sled(16), body.clone()].concat();
        assert_eq!(locate(16, 0, &plain, [0xcc; 4]), (0x1000, 0x1000, 16));
        assert_eq!(locate(16, 0, &plain, ENDBR64), (0xffc, 0x1000, 16));
        assert_eq!(locate(16, 4, &plain, ENDBR64), (0x1004, 0x1004, 12));
        let split = [sled(4), endbr.clone(), sled(12), body.clone()].concat();
        assert_eq!(locate(16, 4, &split, [0; 4]), (0x1004, 0x1008, 12));
        let old = [endbr, sled(16), body].concat();
        assert_eq!(locate(16, 0, &old, [0; 4]), (0x1000, 0x1004, 16));
    }

    #[test]
    fn numbers_that_the_bytes_do_not_bear_out_are_refused() {
        let layout = Layout::new(16, 4).unwrap();
        let wrong = [vec![0x90; 15], vec![0xc3; 8]].concat();
        assert!(matches!(
            layout.locate(&wrong, ROW, [0; 4]),
            Err(SledError::NotANop { .. })
        ));
        assert!(matches!(
            layout.locate(&[0x90; 15], ROW, [0; 4]),
            Err(SledError::Cut { .. })
        ));
        assert!(matches!(
            layout.locate(&[0x90; 3], ROW, [0; 4]),
            Err(SledError::Cut { .. })
        ));
        assert!(Layout::new(8, 8).is_err() && Layout::new(0, 0).is_err());
    }
}
