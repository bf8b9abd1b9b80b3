//! The crate `static-keys`, with a key a site, so that a batch may have any number of them.
//!
//! The crate says that keys must not be switched while other threads run; here they are, and the process
//! that does so measures nothing else.

use static_keys::{StaticFalseKey, new_static_false_key};

use super::{MOST_OF_SLOW, Scheme};
use crate::row::Parts;

#[used]
static KEYS: [StaticFalseKey; MOST_OF_SLOW] = [const { new_static_false_key() }; MOST_OF_SLOW];

const KEY_LEN: usize = size_of::<StaticFalseKey>();
const STRIDE: usize = 16;

// Entries `nop5; ret`, each with the row that `static_branch_unlikely!` emits: code, target and key, all
// relative to the field; bit 0 of the key clear, since the likely branch is not the one that jumps.
std::arch::global_asm!(
    ".pushsection .text.static_keys_sites, \"ax\", @progbits",
    ".balign 4096",
    "bench_static_keys_sites:",
    ".set bench_site, 0",
    ".rept {sites}",
    "2: .byte 0x0f, 0x1f, 0x44, 0, 0",
    "ret",
    ".balign {stride}, 0xcc",
    ".pushsection __static_keys, \"awR\"",
    ".balign 8",
    ".quad 2b - .",
    ".quad bench_static_keys_target - .",
    ".quad {keys} + bench_site * {key} - .",
    ".popsection",
    ".set bench_site, bench_site + 1",
    ".endr",
    "bench_static_keys_target: ret",
    ".popsection",
    sites = const MOST_OF_SLOW,
    stride = const STRIDE,
    keys = sym KEYS,
    key = const KEY_LEN,
);

unsafe extern "C" {
    #[link_name = "bench_static_keys_sites"]
    safe static SITES: u8;
}

/// The first `sites` of the entries.
pub struct StaticKeys(usize);

impl StaticKeys {
    /// # Panics
    /// With more sites than were built.
    pub fn new(sites: usize) -> Self {
        assert!(sites <= MOST_OF_SLOW);
        static_keys::global_init();
        Self(sites)
    }
}

impl Scheme for StaticKeys {
    fn call(&self, site: usize) {
        assert!(site < self.0);
        let at = &raw const SITES as usize + site * STRIDE;
        // SAFETY: an entry of the assembly above is a function of this type in either state.
        let entry = unsafe { std::mem::transmute::<usize, extern "C" fn()>(at) };
        entry();
    }

    fn switch(&self, on: bool) -> Option<Parts> {
        for key in &KEYS[..self.0] {
            if on {
                // SAFETY: initialised; that threads run meanwhile is what is measured (see above).
                unsafe { key.enable() };
            } else {
                // SAFETY: as above.
                unsafe { key.disable() };
            }
        }
        None
    }
}
