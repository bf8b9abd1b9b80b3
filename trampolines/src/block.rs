//! The one block shape: tell dispatch which site it was, and go there.
//!
//! ```text
//!  0  f3 0f 1e fa           endbr64            (a jump through a pointer may land here, too)
//!  4  b9 nn nn nn nn        mov ecx, site      fourth argument of the C ABI
//!  9  ff 25 dd dd dd dd     jmp [rip + slot]   to dispatch; frameless, so unwinding is as if
//! 15  cc                    int3               the sled's caller had called dispatch
//! ```

use hotsled_abi::SiteId;

/// Bytes of one block.
pub const BLOCK_LEN: usize = 16;

/// Encodes the block at offset `at` of a pool whose dispatch address lies at offset `slot`.
///
/// # Panics
/// When the two are further apart than a 32-bit displacement; a pool is far smaller.
pub fn dispatch_block(site: SiteId, at: usize, slot: usize) -> [u8; BLOCK_LEN] {
    let after_jump = at as i64 + 15;
    let displacement = i32::try_from(slot as i64 - after_jump).expect("a pool within 2 GiB");
    let mut code = [0xcc; BLOCK_LEN];
    code[..4].copy_from_slice(&[0xf3, 0x0f, 0x1e, 0xfa]);
    code[4] = 0xb9;
    code[5..9].copy_from_slice(&site.0.to_le_bytes());
    code[9..11].copy_from_slice(&[0xff, 0x25]);
    code[11..15].copy_from_slice(&displacement.to_le_bytes());
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Code, Decoder, DecoderOptions, OpKind, Register};

    #[test]
    fn a_block_decodes_to_what_the_picture_says() {
        let (at, slot, base) = (0x40, 0, 0x7000_0000_u64);
        let code = dispatch_block(SiteId(0xdead), at, slot);
        let mut decoder = Decoder::with_ip(64, &code, base + at as u64, DecoderOptions::NONE);
        assert_eq!(decoder.decode().code(), Code::Endbr64);
        let mov = decoder.decode();
        assert_eq!(
            (mov.code(), mov.op0_register(), mov.immediate32()),
            (Code::Mov_r32_imm32, Register::ECX, 0xdead)
        );
        let jump = decoder.decode();
        assert_eq!(
            (jump.code(), jump.op0_kind()),
            (Code::Jmp_rm64, OpKind::Memory)
        );
        assert_eq!(jump.ip_rel_memory_address(), base + slot as u64);
    }
}
