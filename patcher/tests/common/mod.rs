//! Sleds to patch: site `i` returns `i` while idle and `i | NEW` when it jumps.
//!
//! The targets lie before the sleds, and no byte of a displacement is zero: with the usual forward
//! targets a torn word still decodes to something harmless and a test would pass.
#![allow(dead_code, reason = "each test uses its part")]

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_patcher::{NewSite, Patcher, Want};

pub const SITES: usize = 512;
pub const NEW: u32 = 1 << 30;

std::arch::global_asm!(
    ".pushsection .text.test_sleds, \"ax\", @progbits",
    ".balign 4096",
    "test_targets:",
    ".set i, 0",
    ".rept 512",
    "mov eax, offset i + 0x40000000",
    "ret",
    ".balign 16, 0xcc",
    ".set i, i + 1",
    ".endr",
    ".org test_targets + 0x12340, 0xcc",
    "test_sleds:",
    ".set i, 0",
    ".rept 512",
    ".byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0",
    "mov eax, offset i",
    "ret",
    ".balign 16, 0xcc",
    ".set i, i + 1",
    ".endr",
    ".popsection",
);

unsafe extern "C" {
    safe static test_targets: u8;
    safe static test_sleds: u8;
}

pub fn sled(i: usize) -> SiteAddr {
    SiteAddr::new(&raw const test_sleds as u64 + 16 * i as u64)
}

pub fn target(i: usize) -> TargetAddr {
    TargetAddr::new(&raw const test_targets as u64 + 16 * i as u64)
}

pub fn new_site(i: usize) -> NewSite {
    NewSite {
        sled: sled(i),
        target: target(i),
    }
}

pub fn adopt_all(patcher: &Patcher) -> Vec<SiteId> {
    let sites: Vec<_> = (0..SITES).map(new_site).collect();
    patcher.adopt(&sites).unwrap()
}

pub fn wishes(ids: &[SiteId], want: Want) -> Vec<(SiteId, Want)> {
    ids.iter().map(|&id| (id, want)).collect()
}

pub fn call(i: usize) -> u32 {
    // SAFETY: sled and target are functions of this signature in the assembly above.
    let f = unsafe { std::mem::transmute::<u64, extern "C" fn() -> u32>(sled(i).get()) };
    f()
}

pub fn bytes(i: usize) -> [u8; 8] {
    // SAFETY: 8 readable bytes of text; volatile, since a patcher may change them.
    unsafe { std::ptr::read_volatile(sled(i).get() as *const [u8; 8]) }
}

/// Every sled gives its old result, or every sled its new one.
pub fn all_are(want: Want) -> bool {
    let bit = if want == Want::Jump { NEW } else { 0 };
    (0..SITES).all(|i| call(i) == i as u32 | bit)
}
