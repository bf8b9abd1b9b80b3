//! One sled on a page of its own, laid out and rewritten as each variant says, under one busy thread.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotsled_abi::{NOP8, SLED_LEN, SiteAddr, TargetAddr, jmp_word};
use hotsled_sys::map::{Access, Mapping, Sharing};
use hotsled_sys::memfd;
use hotsled_sys::page::PageLen;

use super::protocol::{self, Text};
use crate::failure::{self, fail};

/// A run of one-byte nops, as gcc emits it.
const NOPS: [u8; SLED_LEN] = [0x90; SLED_LEN];
/// Where the target lies in the page: before every sled.
const TARGET: usize = 64;
/// Where a cache line begins.
const LINE: usize = 1024;
const OLD: u32 = 1;
const NEW: u32 = 2;

/// A whole sled, one store.
pub fn one_store(time: Duration) {
    play(LINE, NOP8, time, protocol::one_store);
}

/// Half a sled in one cache line, half in the next; one store.
pub fn straddling(time: Duration) {
    play(LINE + 60, NOP8, time, protocol::one_store);
}

/// A whole sled of eight instructions; one store.
pub fn short_nops(time: Duration) {
    play(LINE, NOPS, time, protocol::one_store);
}

/// The breakpoint protocol on a sled whose first byte lies in another line than its tail.
pub fn three_syncs(time: Duration) {
    let sync = protocol::barrier();
    play(LINE + 63, NOP8, time, |text, word| {
        protocol::phases(text, word, &sync)
    });
}

/// As [`three_syncs`], without the syncs. In one line the fault does not show: a core fetches the line
/// as a whole, and x86 keeps that fetch coherent. Across two lines it fetches head and tail apart.
pub fn no_sync(time: Duration) {
    play(LINE + 63, NOP8, time, |text, word| {
        protocol::phases(text, word, || ())
    });
}

/// Calls the sled on one thread and rewrites it on this one.
fn play(
    offset: usize,
    idle: [u8; SLED_LEN],
    time: Duration,
    rewrite: impl Fn(&Text, [u8; SLED_LEN]),
) {
    let text = lay_out(offset, idle);
    let jump = jmp_word(SiteAddr::new(text.run), TargetAddr::new(text.target));
    let jump = jump.expect("the target is near").to_le_bytes();
    assert!(
        jump[1..5].iter().all(|&b| b != 0),
        "{jump:02x?} hides faults"
    );
    failure::catch_faults(SiteAddr::new(text.run));
    protocol::emulate(&text);
    let (stop, began) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| call(text.run, &stop));
        while began.elapsed() < time {
            for _ in 0..256 {
                rewrite(&text, jump);
                rewrite(&text, idle);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn call(sled: u64, stop: &AtomicBool) {
    // SAFETY: the page holds a function of this type at the sled, in either state.
    let sled = unsafe { std::mem::transmute::<u64, extern "C" fn() -> u32>(sled) };
    while !stop.load(Ordering::Relaxed) {
        let got = sled();
        if got != OLD && got != NEW {
            fail(format_args!(
                "a call returned {got:#x}, neither old nor new"
            ));
        }
    }
}

/// The page twice: to be run, and to be written; never both in one mapping.
fn lay_out(offset: usize, idle: [u8; SLED_LEN]) -> Text {
    let len = PageLen::holding(1);
    let file = memfd::create(c"torture-stage", len).expect("a file of memory");
    let map = |access| Mapping::of_file(file.as_fd(), len, access, Sharing::Shared);
    let write = map(Access::ReadWrite).expect("a page to write").leak() as u64;
    let run = map(Access::ReadExecute).expect("a page to run").leak() as u64;
    let put = |at: usize, bytes: &[u8]| {
        let at = (write + at as u64) as *mut u8;
        // SAFETY: within the page, which nobody runs yet.
        unsafe { at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    };
    put(0, &[0xcc; 4096]);
    put(TARGET, &function(NEW));
    put(offset, &idle);
    put(offset + SLED_LEN, &function(OLD));
    Text {
        run: run + offset as u64,
        write: write + offset as u64,
        target: run + TARGET as u64,
    }
}

/// `mov eax, result; ret`.
fn function(result: u32) -> [u8; 6] {
    let [a, b, c, d] = result.to_le_bytes();
    [0xb8, a, b, c, d, 0xc3]
}
