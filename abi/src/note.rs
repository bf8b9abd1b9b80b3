//! The note that every module carries: where its site table is, and which copy of the crate it holds.
//!
//! ```text
//! offset  bytes  field
//!      0      4  name length 8
//!      4      4  descriptor length 16
//!      8      4  type 1
//!     12      8  name "hotsled\0"
//!     20      4  contract version
//!     24      4  start of the site table, relative to this field
//!     28      4  end of the site table, relative to this field
//!     32      4  the copy's `Module`, relative to this field
//! ```
//! The last field keeps its place in every version, so that copies of different versions find each
//! other. Relative fields need no dynamic relocations.

/// Name of the note, with the NUL that ELF counts.
pub const NOTE_NAME: &[u8; 8] = b"hotsled\0";
/// Type of the note.
pub const NOTE_TYPE: u32 = 1;
/// Bytes of its descriptor.
pub const NOTE_LEN: usize = 16;
const HEAD: usize = 12;
const PADDING: usize = 4;
/// NT_GNU_BUILD_ID of the notes named GNU.
const GNU_BUILD_ID: u32 = 3;

/// The note of one module, with absolute addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Contract version of the copy.
    pub version: u32,
    /// First byte of the site table.
    pub start: u64,
    /// One past its last byte.
    pub stop: u64,
    /// Address of the copy's [`crate::Module`].
    pub module: u64,
}

/// What is wrong with the notes of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// A note runs beyond its segment.
    Truncated {
        /// Address of the note.
        address: u64,
    },
    /// A descriptor of another length.
    Length {
        /// Address of the note.
        address: u64,
        /// Length found.
        len: u32,
    },
    /// A second note: two copies of the crate in one link.
    Twice {
        /// Address of the second one.
        address: u64,
    },
}

impl core::fmt::Display for NoteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated { address } => {
                write!(f, "the note at {address:#x} runs beyond its segment")
            }
            Self::Length { address, len } => write!(
                f,
                "the hotsled note at {address:#x} has {len} bytes, not {NOTE_LEN}"
            ),
            Self::Twice { address } => write!(
                f,
                "a second hotsled note at {address:#x}: link one copy of the crate only"
            ),
        }
    }
}

impl core::error::Error for NoteError {}

impl Note {
    /// Finds the note among the notes of one segment, which lies at `base`.
    ///
    /// # Errors
    /// [`NoteError`] names what and where; a segment without the note is no error, whatever it holds.
    pub fn find(bytes: &[u8], base: u64) -> Result<Option<Self>, NoteError> {
        if !bytes.windows(NOTE_NAME.len()).any(|w| w == NOTE_NAME) {
            return Ok(None);
        }
        let (mut at, mut found) = (0, None);
        while at < bytes.len() {
            let address = base.wrapping_add(at as u64);
            let (raw, next) = Raw::read(bytes, at).ok_or(NoteError::Truncated { address })?;
            if raw.kind == NOTE_TYPE && raw.name == NOTE_NAME {
                if found.is_some() {
                    return Err(NoteError::Twice { address });
                }
                found = Some(raw.note(base, address)?);
            }
            at = next;
        }
        Ok(found)
    }
}

/// The build id among the notes of one segment, if a linker put one there.
pub fn build_id(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    while let Some((raw, next)) = Raw::read(bytes, at) {
        if raw.kind == GNU_BUILD_ID && raw.name == b"GNU\0" {
            return Some(raw.desc);
        }
        at = next;
    }
    None
}

/// One ELF note. Notes are padded to 4 bytes, also where a segment states 8: mold puts 4-byte notes behind
/// GNU's 8-byte ones into one segment, and GNU's have lengths that need no more padding.
struct Raw<'a> {
    kind: u32,
    name: &'a [u8],
    desc: &'a [u8],
    /// Offset of `desc` in its segment.
    desc_at: usize,
}

impl<'a> Raw<'a> {
    /// The note at `at`, and where the next one is.
    fn read(bytes: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let name_len = word(bytes, at)? as usize;
        let desc_len = word(bytes, at + 4)? as usize;
        let kind = word(bytes, at + 8)?;
        let name_at = at + HEAD;
        let name = bytes.get(name_at..name_at.checked_add(name_len)?)?;
        let desc_at = (name_at + name_len).checked_next_multiple_of(PADDING)?;
        let end = desc_at.checked_add(desc_len)?;
        let desc = bytes.get(desc_at..end)?;
        let raw = Self {
            kind,
            name,
            desc,
            desc_at,
        };
        Some((raw, end.checked_next_multiple_of(PADDING)?))
    }

    fn note(&self, base: u64, address: u64) -> Result<Note, NoteError> {
        let len = self.desc.len() as u32;
        let fields = self.desc.as_array::<NOTE_LEN>();
        let fields = fields.ok_or(NoteError::Length { address, len })?;
        let relative = |at: usize| {
            let field = base.wrapping_add((self.desc_at + at) as u64);
            field.wrapping_add_signed(i64::from(field_at(fields, at) as i32))
        };
        Ok(Note {
            version: field_at(fields, 0),
            start: relative(4),
            stop: relative(8),
            module: relative(12),
        })
    }
}

fn field_at(fields: &[u8; NOTE_LEN], at: usize) -> u32 {
    u32::from_le_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]])
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn note(name: &[u8; 8], kind: u32, desc: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(8u32.to_le_bytes());
        bytes.extend((desc.len() as u32).to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(name);
        bytes.extend(desc);
        bytes
    }

    fn desc() -> Vec<u8> {
        [1u32, 0x100, 0x200, (-0x20i32) as u32]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect()
    }

    #[test]
    fn it_is_found_among_others_and_leads_where_it_says() {
        let mut bytes = [4u32, 4, 3].map(u32::to_le_bytes).concat();
        bytes.extend(b"GNU\0\x07\x07\x07\x07");
        let at = bytes.len() as u64 + 20;
        bytes.extend(note(NOTE_NAME, NOTE_TYPE, &desc()));
        let found = Note::find(&bytes, 0x1000).unwrap().unwrap();
        let wanted = Note {
            version: 1,
            start: 0x1000 + at + 4 + 0x100,
            stop: 0x1000 + at + 8 + 0x200,
            module: 0x1000 + at + 12 - 0x20,
        };
        assert_eq!(found, wanted);
        assert_eq!(Note::find(&bytes[..20], 0), Ok(None));
        assert_eq!(Note::find(&bytes[..11], 0), Ok(None), "not ours to judge");
        assert_eq!(build_id(&bytes), Some(&[7; 4][..]));
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let good = note(NOTE_NAME, NOTE_TYPE, &desc());
        let twice = [good.clone(), good.clone()].concat();
        assert_eq!(Note::find(&twice, 0), Err(NoteError::Twice { address: 36 }));
        let short = note(NOTE_NAME, NOTE_TYPE, &desc()[..12]);
        assert_eq!(
            Note::find(&short, 8),
            Err(NoteError::Length {
                address: 8,
                len: 12
            })
        );
        for len in 20..good.len() {
            assert_eq!(
                Note::find(&good[..len], 8),
                Err(NoteError::Truncated { address: 8 })
            );
        }
    }

    #[test]
    fn absurd_lengths_are_truncations() {
        for field in [0, 4] {
            let mut bytes = note(NOTE_NAME, NOTE_TYPE, &desc());
            bytes[field..field + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            assert_eq!(
                Note::find(&bytes, 0),
                Err(NoteError::Truncated { address: 0 })
            );
        }
    }
}
