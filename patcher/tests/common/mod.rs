//! Sleds to patch: site `i` returns `i` while idle and `i | NEW` when it jumps.
//!
//! The targets lie before the sleds, and no byte of a displacement is zero: with the usual forward
//! targets a torn word still decodes to something harmless and a test would pass.
#![allow(dead_code, reason = "each test uses its part")]

use std::process::{Command, Output};

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_patcher::{NewSite, Options, Patcher, SingleStore, Want, WritePath};
use hotsled_sys::procmem::ProcMem;

pub const SITES: usize = 512;
pub const NEW: u32 = 1 << 30;

std::arch::global_asm!(
    ".pushsection .text.test_sleds, \"ax\", @progbits",
    ".balign 4096",
    ".globl test_targets, test_sleds",
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
    // SAFETY: the sleds and targets of the assembly above.
    unsafe { patcher.adopt(&sites) }.unwrap()
}

/// The three ways in which a session can write.
pub const WAYS: [(&str, Options); 3] = [
    ("mem", way(WritePath::ProcMem, SingleStore::Never)),
    ("alias", way(WritePath::Alias, SingleStore::Never)),
    ("store", way(WritePath::Alias, SingleStore::Always)),
];

const fn way(path: WritePath, single_store: SingleStore) -> Options {
    Options {
        traced: hotsled_patcher::Traced::Refuse,
        path,
        single_store,
    }
}

const CASE: &str = "HOTSLED_TEST_CASE";

/// Runs test `name` of this program in a process of its own for every case, in which `body` gets the case's
/// name: one process has one patcher, and some cases take rights away or die.
pub fn in_processes(name: &str, cases: &[&str], body: impl FnOnce(&str)) {
    if let Ok(case) = std::env::var(CASE) {
        return body(&case);
    }
    for case in cases {
        let output = in_process(name, case);
        let said = String::from_utf8_lossy(&output.stdout);
        let cried = String::from_utf8_lossy(&output.stderr);
        print!("{said}");
        assert!(
            output.status.success(),
            "{case}: {}\n{said}{cried}",
            output.status
        );
    }
}

/// Runs test `name` of this program for one case.
pub fn in_process(name: &str, case: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture"])
        .env(CASE, case);
    command.output().unwrap()
}

/// As [`in_processes`], for every way of writing.
pub fn in_every_way(name: &str, body: impl FnOnce(Options)) {
    in_processes(name, &WAYS.map(|(name, _)| name), |case| {
        let way = WAYS.iter().find(|(name, _)| *name == case);
        body(way.expect("one of the ways").1);
    });
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

/// Writes the first byte of sled `i`, as a debugger does.
pub fn poke(i: usize, byte: u8) {
    let mem = ProcMem::open().unwrap();
    // SAFETY: no thread runs this sled while it is poked.
    unsafe { mem.write(sled(i).get(), &[byte]) }.unwrap();
}

/// Every sled gives its old result, or every sled its new one.
pub fn all_are(want: Want) -> bool {
    let bit = if want == Want::Jump { NEW } else { 0 };
    (0..SITES).all(|i| call(i) == i as u32 | bit)
}
