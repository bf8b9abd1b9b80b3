//! On which CPUs one aligned store may replace an instruction that others execute.
//!
//! AMD describes this as asynchronous cross-modification (AMD64 Architecture Programmer's Manual, volume 2,
//! section 7.6.1): a thread that executes the bytes meanwhile sees the old or the new instruction when the
//! change is a single store within a naturally aligned quadword. Intel's manual (SDM volume 3, "Handling
//! Self- and Cross-Modifying Code") promises only the synchronised way, and an old erratum names faults of
//! the unsynchronised one; so Intel takes the breakpoint protocol, although OpenJDK's HotSpot has rewritten
//! live code by aligned 8-byte stores on both makers' CPUs for years (openjdk/jdk pull requests 11059 and
//! 19990). The families listed are the ones of AMD's 64-bit server and desktop cores since 2017; others may
//! well do, and are for [`SingleStore::Always`](crate::SingleStore::Always).

use std::arch::x86_64::__cpuid;

/// What CPUID says about maker and family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The twelve letters of the maker.
    pub vendor: [u8; 12],
    /// Family, with the extended part added.
    pub family: u32,
}

/// Zen to Zen 5.
const AMD_FAMILIES: [u32; 3] = [0x17, 0x19, 0x1a];

impl Cpu {
    /// The CPU this runs on.
    pub fn here() -> Self {
        let id = __cpuid(0);
        let letters = [id.ebx, id.edx, id.ecx].map(u32::to_le_bytes);
        let mut vendor = [0; 12];
        vendor.copy_from_slice(letters.as_flattened());
        let family = family(__cpuid(1).eax);
        Self { vendor, family }
    }

    /// Whether its maker promises that an aligned store of eight bytes is executed as a whole.
    pub fn is_qualified(&self) -> bool {
        self.vendor == *b"AuthenticAMD" && AMD_FAMILIES.contains(&self.family)
    }
}

impl std::fmt::Display for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let vendor = String::from_utf8_lossy(&self.vendor);
        write!(f, "{vendor} family {:x}h", self.family)
    }
}

fn family(signature: u32) -> u32 {
    let base = signature >> 8 & 0xf;
    let extended = signature >> 20 & 0xff;
    if base == 0xf { base + extended } else { base }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_makers_that_promise_it_are_qualified() {
        let cpu = |vendor: &[u8; 12], family| Cpu {
            vendor: *vendor,
            family,
        };
        assert!(cpu(b"AuthenticAMD", 0x19).is_qualified());
        assert!(!cpu(b"AuthenticAMD", 0x10).is_qualified());
        assert!(!cpu(b"GenuineIntel", 6).is_qualified());
        assert!(!cpu(b"HygonGenuine", 0x18).is_qualified());
    }

    #[test]
    fn families_are_read_as_the_manuals_say() {
        assert_eq!(family(0x00a2_0f12), 0x19); // Zen 3
        assert_eq!(family(0x0009_06ea), 6); // Coffee Lake
    }
}
