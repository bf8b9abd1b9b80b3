//! Sites with nops that a compiler laid: long ones, and short ones that share their word with code.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_patcher::{Mode, NewSite, Nop, Options, PatchError, Patcher, Want};

mod common;

std::arch::global_asm!(
    ".pushsection .text.compiler_nops, \"ax\", @progbits",
    ".globl nop_target, nop_long, nop_short", // other codegen units name them
    ".balign 64",
    "nop_target:",
    "mov eax, 0x40",
    "ret",
    ".org nop_target + 0x12340, 0xcc",
    "nop_long:", // 15 bytes in one, as clang lays them; going on at +8 would not be code
    ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 2, 0, 0",
    "nop",
    "mov eax, 1",
    "ret",
    ".balign 8, 0xcc",
    "nop_short:", // 5 bytes, then the body within the same word
    ".byte 0x0f, 0x1f, 0x44, 0, 8",
    "mov eax, 2",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    safe static nop_target: u8;
    safe static nop_long: u8;
    safe static nop_short: u8;
}

fn site(sled: &u8, word: [u8; 8], len: u8) -> (NewSite, Nop) {
    let sled = SiteAddr::new(std::ptr::from_ref(sled) as u64);
    let target = TargetAddr::new(&raw const nop_target as u64);
    (NewSite { sled, target }, Nop { word, len })
}

fn call(sled: &u8) -> u32 {
    let address = std::ptr::from_ref(sled) as u64;
    // SAFETY: both sleds start functions of this signature in the assembly above.
    let function = unsafe { std::mem::transmute::<u64, extern "C" fn() -> u32>(address) };
    function()
}

fn word(sled: &u8) -> [u8; 8] {
    // SAFETY: 8 readable bytes of text; volatile, since a patcher may change them.
    unsafe { std::ptr::read_volatile(std::ptr::from_ref(sled).cast()) }
}

static STOP: AtomicBool = AtomicBool::new(false);

fn run_both() {
    while !STOP.load(Relaxed) {
        let got = (call(&nop_long), call(&nop_short));
        assert!(
            matches!(got.0, 1 | 0x40) && matches!(got.1, 2 | 0x40),
            "{got:x?}"
        );
    }
}

fn wrong_nops_are_not_adopted(patcher: &Patcher) {
    // SAFETY: nothing is adopted, so nothing is written.
    let adopt = |site| unsafe { patcher.adopt_foreign(&[site]) }.unwrap_err();
    let short = adopt(site(&nop_short, word(&nop_short), 4));
    assert!(matches!(short, PatchError::Short { len: 4, .. }));
    let other = adopt(site(&nop_short, [0x90; 8], 5));
    assert!(matches!(other, PatchError::NotIdle { .. }));
}

#[test]
fn threads_pass_compiler_nops_while_they_flip() {
    common::in_every_way("threads_pass_compiler_nops_while_they_flip", threads_pass);
}

fn threads_pass(options: Options) {
    let patcher = Patcher::new(options).unwrap();
    wrong_nops_are_not_adopted(&patcher);
    let before = [word(&nop_long), word(&nop_short)];
    let sites = [
        site(&nop_long, before[0], 15),
        site(&nop_short, before[1], 5),
    ];
    // SAFETY: the assembly above has nops of these lengths there, and nothing jumps into them.
    let ids = unsafe { patcher.adopt_foreign(&sites) }.unwrap();
    let wish = |want| [0, 1].map(|i: usize| (ids[i], want));
    let threads = [(); 3].map(|()| std::thread::spawn(run_both));
    for _ in 0..400 {
        patcher.switch(&wish(Want::Jump), Mode::AllOrNone).unwrap();
        assert_eq!((call(&nop_long), call(&nop_short)), (0x40, 0x40));
        assert_eq!(word(&nop_short)[5..], before[1][5..], "the body stays");
        patcher.switch(&wish(Want::Idle), Mode::AllOrNone).unwrap();
        assert_eq!([word(&nop_long), word(&nop_short)], before);
    }
    STOP.store(true, Relaxed);
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(patcher.state(SiteId(0)), Some(Want::Idle));
}
