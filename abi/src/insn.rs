//! The few encodings a sled may hold.
//!
//! ```text
//! idle     0f 1f 84 00 00 00 00 00   nop dword [rax+rax*1+0]   one instruction, 8 bytes
//! patched  e9 d0 d1 d2 d3 00 00 00   jmp rel32; the three tail bytes are never reached
//! trapping cc .. .. .. .. .. .. ..   int3, while the other bytes change
//! ```

use crate::{SiteAddr, TargetAddr};

/// Bytes of a sled.
pub const SLED_LEN: usize = 8;
/// The idle sled: one 8-byte nop.
pub const NOP8: [u8; SLED_LEN] = [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
/// Breakpoint opcode, one byte.
pub const INT3: u8 = 0xcc;
/// Bytes of `jmp rel32`.
pub const JMP8_LEN: usize = 5;

/// The idle sled as the word that is stored.
pub const fn nop_word() -> u64 {
    u64::from_le_bytes(NOP8)
}

/// The patched sled at `site` that jumps to `target`, or `None` beyond the reach of `rel32`.
///
/// The tail keeps the nop's own last three bytes, so only five bytes differ between the states.
///
/// ```
/// use hotsled_abi::{jmp_word, SiteAddr, TargetAddr};
/// let word = jmp_word(SiteAddr::new(0x1000), TargetAddr::new(0x0f05)).unwrap();
/// assert_eq!(word.to_le_bytes(), [0xe9, 0x00, 0xff, 0xff, 0xff, 0, 0, 0]);
/// ```
pub const fn jmp_word(site: SiteAddr, target: TargetAddr) -> Option<u64> {
    let next = site.get().wrapping_add(JMP8_LEN as u64);
    let distance = target.get().wrapping_sub(next) as i64;
    if distance > i32::MAX as i64 || distance < i32::MIN as i64 {
        return None;
    }
    let rel = (distance as i32).to_le_bytes();
    Some(u64::from_le_bytes([
        0xe9, rel[0], rel[1], rel[2], rel[3], NOP8[5], NOP8[6], NOP8[7],
    ]))
}
