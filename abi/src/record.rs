//! The flat record of one section: its path and its virtual-ISA module.
//!
//! ```text
//! offset  bytes  field
//!      0      4  magic "HSR1"
//!      4      2  version
//!      6      2  flags (0)
//!      8      4  total length
//!     12      4  path length P
//!     16      4  module length M
//!     20      4  reserved (0)
//!     24      8  FNV-1a of the module bytes
//!     32      P  path (UTF-8), e.g. `image_service::filters::blur_rows`
//!   32+P      M  virtual-ISA module, the binary form of `hotsled-ir`
//! ```
//! All integers are little-endian; nothing is relocated.

/// First bytes of every record.
pub const RECORD_MAGIC: [u8; 4] = *b"HSR1";
/// Version of this layout.
pub const RECORD_VERSION: u16 = 1;
/// Alignment of a record in its section.
pub const RECORD_ALIGN: usize = 8;
const HEAD: usize = 32;

/// Elements that all local arrays of a section have together.
pub const MAX_ARRAY_ELEMENTS: usize = 2048;

/// Bytes of the record for a path and a module of these lengths.
pub const fn record_len(path_len: usize, module_len: usize) -> usize {
    HEAD + path_len + module_len
}

/// 64-bit FNV-1a: tells damaged bytes apart; it is no defence against an adversary.
pub const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// Builds a record at compile time; `N` must be [`record_len`] of the two parts.
///
/// # Panics
/// When `N` does not fit the parts (a compile error where it is used).
pub const fn assemble<const N: usize>(path: &str, module: &[u8]) -> [u8; N] {
    let path = path.as_bytes();
    assert!(N == record_len(path.len(), module.len()));
    let mut out = [0; N];
    put(&mut out, 0, &RECORD_MAGIC);
    put(&mut out, 4, &RECORD_VERSION.to_le_bytes());
    put(&mut out, 8, &(N as u32).to_le_bytes());
    put(&mut out, 12, &(path.len() as u32).to_le_bytes());
    put(&mut out, 16, &(module.len() as u32).to_le_bytes());
    put(&mut out, 24, &fnv1a(module).to_le_bytes());
    put(&mut out, HEAD, path);
    put(&mut out, HEAD + path.len(), module);
    out
}

/// Bytes of several parts together.
pub const fn concat_len(parts: &[&[u8]]) -> usize {
    let mut len = 0;
    let mut i = 0;
    while i < parts.len() {
        len += parts[i].len();
        i += 1;
    }
    len
}

/// Puts parts one after the other at compile time; `N` must be their [`concat_len`].
///
/// # Panics
/// When `N` does not fit the parts (a compile error where it is used).
pub const fn concat<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    assert!(N == concat_len(parts));
    let mut out = [0; N];
    let mut at = 0;
    let mut i = 0;
    while i < parts.len() {
        put(&mut out, at, parts[i]);
        at += parts[i].len();
        i += 1;
    }
    out
}

/// A number as the binary form of the virtual ISA has it, LEB128, but always of the longest form: so that its bytes
/// have a place before the compiler knows it.
pub const fn number(n: u64) -> [u8; 10] {
    let mut out = [0x80; 10];
    let mut i = 0;
    while i < 10 {
        out[i] |= (n >> (7 * i)) as u8 & 0x7f;
        i += 1;
    }
    out[9] &= 0x7f;
    out
}

/// The length of a local array, as [`number`].
///
/// # Panics
/// When it is none (a compile error where it is used).
#[track_caller]
pub const fn array_len(len: usize) -> [u8; 10] {
    assert!(
        0 < len && len <= MAX_ARRAY_ELEMENTS,
        "a local array of a section has 1 to 2048 elements, and this constant is another number"
    );
    number(len as u64)
}

/// Compiles if the local arrays of one function, of these lengths, have room.
///
/// # Panics
/// When they have not (a compile error where it is used).
#[track_caller]
pub const fn arrays_fit(lens: &[usize]) {
    let mut room = MAX_ARRAY_ELEMENTS;
    let mut i = 0;
    while i < lens.len() {
        assert!(
            lens[i] <= room,
            "the local arrays of a section have 2048 elements together at most, and these have more"
        );
        room -= lens[i];
        i += 1;
    }
}

const fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    let mut i = 0;
    while i < bytes.len() {
        out[at + i] = bytes[i];
        i += 1;
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Fewer bytes than the head or the lengths in it ask for.
    Truncated {
        /// Bytes needed.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// The first four bytes are not [`RECORD_MAGIC`].
    Magic([u8; 4]),
    /// A layout version this build does not read.
    Version(u16),
    /// The lengths in the head do not add up.
    Lengths,
    /// The path is not UTF-8.
    Path,
    /// The module bytes do not match their hash.
    Hash {
        /// Hash in the head.
        stated: u64,
        /// Hash of the bytes.
        actual: u64,
    },
}

impl core::fmt::Display for RecordError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated { need, have } => {
                write!(f, "record needs {need} bytes, {have} are there")
            }
            Self::Magic(bytes) => write!(f, "record starts with {bytes:02x?}, not HSR1"),
            Self::Version(v) => write!(
                f,
                "record version {v} is unknown (this build reads {RECORD_VERSION})"
            ),
            Self::Lengths => f.write_str("record lengths do not add up"),
            Self::Path => f.write_str("record path is not UTF-8"),
            Self::Hash { stated, actual } => {
                write!(
                    f,
                    "record hash is {actual:#018x}, its head states {stated:#018x}"
                )
            }
        }
    }
}

impl core::error::Error for RecordError {}

/// A checked view of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Path of the section in its crate.
    pub path: &'a str,
    /// Virtual-ISA module bytes; not validated here.
    pub module: &'a [u8],
    /// FNV-1a of `module`.
    pub hash: u64,
}

impl<'a> RecordView<'a> {
    /// Reads and checks a record that fills `bytes` exactly.
    ///
    /// # Errors
    /// [`RecordError`] names what is wrong; nothing else is read from a bad record.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let have = bytes.len();
        let head = bytes
            .get(..HEAD)
            .ok_or(RecordError::Truncated { need: HEAD, have })?;
        let word = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
        let magic = word(0).to_le_bytes();
        if magic != RECORD_MAGIC {
            return Err(RecordError::Magic(magic));
        }
        let version = u16::from_le_bytes([head[4], head[5]]);
        if version != RECORD_VERSION {
            return Err(RecordError::Version(version));
        }
        let (total, path_len, module_len) =
            (word(8) as usize, word(12) as usize, word(16) as usize);
        if total as u64 != (HEAD as u64) + path_len as u64 + module_len as u64 {
            return Err(RecordError::Lengths);
        }
        if have < total {
            return Err(RecordError::Truncated { need: total, have });
        }
        if have > total {
            return Err(RecordError::Lengths);
        }
        let path =
            core::str::from_utf8(&bytes[HEAD..HEAD + path_len]).map_err(|_| RecordError::Path)?;
        let module = &bytes[HEAD + path_len..];
        let stated = u64::from(word(24)) | u64::from(word(28)) << 32;
        let actual = fnv1a(module);
        if stated != actual {
            return Err(RecordError::Hash { stated, actual });
        }
        Ok(Self {
            path,
            module,
            hash: actual,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    const PATH: &str = "demo::saxpy";
    const MODULE: &[u8] = &[1, 2, 3, 250];
    const LEN: usize = record_len(PATH.len(), MODULE.len());
    const RECORD: [u8; LEN] = assemble(PATH, MODULE);

    #[test]
    fn assembled_records_parse_back() {
        let view = RecordView::parse(&RECORD).unwrap();
        assert_eq!((view.path, view.module), (PATH, MODULE));
    }

    #[test]
    fn every_damaged_byte_of_head_and_module_is_noticed() {
        for at in (0..20).chain(24..32).chain(32 + PATH.len()..LEN) {
            if at == 6 || at == 7 {
                continue; // flags are reserved and not read
            }
            let mut bytes = RECORD;
            bytes[at] ^= 0x40;
            assert!(RecordView::parse(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn numbers_have_the_longest_form() {
        for n in [0, 1, 127, 128, 2048, u64::MAX >> 1, u64::MAX] {
            let bytes = number(n);
            let value = |(i, byte): (usize, &u8)| u128::from(byte & 0x7f) << (7 * i);
            let sum: u128 = bytes.iter().enumerate().map(value).sum();
            assert_eq!(sum, u128::from(n));
            assert!(bytes[..9].iter().all(|byte| byte & 0x80 != 0) && bytes[9] < 2);
        }
        let refused = |f: fn()| std::panic::catch_unwind(f).is_err();
        assert!(refused(|| _ = array_len(0)) && refused(|| _ = array_len(2049)));
        assert!(refused(|| arrays_fit(&[2000, 49])));
        arrays_fit(&[array_len(2048).len(), 2038]);
    }

    #[test]
    fn every_truncation_is_noticed() {
        for len in 0..LEN {
            assert!(RecordView::parse(&RECORD[..len]).is_err(), "length {len}");
        }
    }
}
