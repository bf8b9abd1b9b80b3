//! The sleds: site `i` returns `i` while idle and `i | NEW` when it jumps.
//!
//! The targets lie before the sleds, and no byte of a displacement is zero: with the usual forward
//! targets a torn word still decodes to something harmless, and every test passes. Where a jump with
//! an old tail leads, 0x8424 bytes on, lie breakpoints.
//!
//! A target takes `NEW` from a page that the kernel clears in every child, as dispatch takes its plan;
//! so a child's results are idle ones, whatever its text says.

use std::io;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use hotsled_abi::{NOP8, SiteAddr, TargetAddr, jmp_word};
use hotsled_patcher::NewSite;
use hotsled_sys::map::Mapping;
use hotsled_sys::page::PageLen;

use crate::failure::fail;

/// Sleds in each of the two banks, which lie pages apart.
pub const BANK: usize = 512;
/// All sleds.
pub const SITES: usize = 2 * BANK;
/// The bit that a target adds.
pub const NEW: u32 = 1 << 30;

static PLAN: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());

std::arch::global_asm!(
    ".pushsection .text.torture, \"ax\", @progbits",
    ".balign 4096",
    // Global, since another part of the crate's code may be assembled apart; hidden, since no other
    // program shall find them.
    ".globl torture_targets, torture_sleds, torture_far_sleds",
    ".hidden torture_targets, torture_sleds, torture_far_sleds",
    "torture_targets:",
    ".set i, 0",
    ".rept 1024",
    "mov rax, [rip + {plan}]",
    "mov eax, [rax]",
    "or eax, offset i",
    "ret",
    ".balign 16, 0xcc",
    ".set i, i + 1",
    ".endr",
    ".macro torture_bank first",
    ".set i, \\first",
    ".rept 512",
    ".byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0",
    "mov eax, offset i",
    "ret",
    ".balign 16, 0xcc",
    ".set i, i + 1",
    ".endr",
    ".endm",
    ".org torture_targets + 0x12340, 0xcc",
    "torture_sleds:",
    "torture_bank 0",
    ".org torture_targets + 0x17340, 0xcc",
    "torture_far_sleds:",
    "torture_bank 512",
    ".org torture_targets + 0x22000, 0xcc",
    ".popsection",
    plan = sym PLAN,
);

unsafe extern "C" {
    safe static torture_targets: u8;
    safe static torture_sleds: u8;
    safe static torture_far_sleds: u8;
}

/// Makes targets work; before any sled is patched.
///
/// # Errors
/// When the page cannot be had.
pub fn prepare() -> io::Result<()> {
    let page = Mapping::anonymous(PageLen::holding(4))?;
    page.wipe_on_fork()?;
    let word = page.leak().cast::<AtomicU32>();
    // SAFETY: fresh zeroed memory that is never unmapped, reached through this atomic alone.
    unsafe { &*word }.store(NEW, Ordering::SeqCst);
    PLAN.store(word, Ordering::SeqCst);
    Ok(())
}

/// Where a sled lies.
pub fn address(site: usize) -> SiteAddr {
    let bank = if site < BANK {
        &raw const torture_sleds
    } else {
        &raw const torture_far_sleds
    };
    SiteAddr::new(bank as u64 + 16 * (site % BANK) as u64)
}

fn target(site: usize) -> TargetAddr {
    TargetAddr::new(&raw const torture_targets as u64 + 16 * site as u64)
}

/// A sled with its target, to be adopted.
pub fn new_site(site: usize) -> NewSite {
    NewSite {
        sled: address(site),
        target: target(site),
    }
}

/// What an idle sled holds, and what a patched one holds.
///
/// # Panics
/// When a byte of the displacement is zero: the torture would see less than it should.
pub fn words(site: usize) -> [[u8; 8]; 2] {
    let jump = jmp_word(address(site), target(site)).expect("the targets are near");
    let jump = jump.to_le_bytes();
    assert!(
        jump[1..5].iter().all(|&b| b != 0),
        "{jump:02x?} hides faults"
    );
    [NOP8, jump]
}

/// What a sled holds now.
pub fn found(site: usize) -> [u8; 8] {
    // SAFETY: sleds are aligned words of text that is never unmapped; nobody writes through the atomic.
    let word = unsafe { AtomicU64::from_ptr(address(site).get() as *mut u64) };
    word.load(Ordering::Acquire).to_le_bytes()
}

/// Runs a sled.
pub fn call(site: usize) -> u32 {
    // SAFETY: sled and target are functions of this signature in the assembly above.
    let f = unsafe { std::mem::transmute::<u64, extern "C" fn() -> u32>(address(site).get()) };
    f()
}

/// Runs a sled; its result is old or new, or the torture fails.
pub fn check(site: usize) -> u32 {
    let got = call(site);
    if got & !NEW != site as u32 {
        fail(format_args!(
            "site {site} returned {got:#x}, neither old nor new"
        ));
    }
    got
}
