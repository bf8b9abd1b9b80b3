//! Ways to rewrite one sled; all but one of them are right on the sleds they are meant for.

use std::arch::asm;
use std::sync::OnceLock;

use hotsled_abi::{INT3, SLED_LEN};
use hotsled_sys::membarrier::Barriers;
use hotsled_sys::signal::{self, Action};

use crate::failure::fail;

/// One sled as text that runs and as memory that is written.
#[derive(Clone, Copy)]
pub struct Text {
    /// Where it runs.
    pub run: u64,
    /// Where it is written.
    pub write: u64,
    /// Where it jumps.
    pub target: u64,
}

/// One 8-byte store, whether or not the address is a multiple of eight.
pub fn one_store(text: &Text, word: [u8; SLED_LEN]) {
    let word = u64::from_le_bytes(word);
    // SAFETY: eight bytes of a page that is written by this thread alone. Rust has no unaligned atomic
    // store, which is what is to be shown, hence the instruction.
    unsafe { asm!("mov qword ptr [{}], {}", in(reg) text.write, in(reg) word) };
    pause();
}

/// Breakpoint, tail, first byte, with `sync` after each.
pub fn phases(text: &Text, word: [u8; SLED_LEN], sync: impl Fn()) {
    let tail = u32::from_le_bytes([word[1], word[2], word[3], word[4]]);
    // SAFETY: the first byte of a sled on a page that is written by this thread alone.
    unsafe { asm!("mov byte ptr [{}], {}", in(reg) text.write, in(reg_byte) INT3) };
    sync();
    // SAFETY: four bytes of its tail; the other three are the same in both words.
    unsafe { asm!("mov dword ptr [{} + 1], {:e}", in(reg) text.write, in(reg) tail) };
    sync();
    // SAFETY: its first byte again.
    unsafe { asm!("mov byte ptr [{}], {}", in(reg) text.write, in(reg_byte) word[0]) };
    sync();
    pause();
}

/// The core-sync that the patcher uses.
pub fn barrier() -> impl Fn() {
    let barriers = Barriers::register().expect("membarrier");
    move || {
        barriers
            .sync_cores()
            .expect("a registered membarrier does not fail")
    }
}

/// Lets the other core run a state for a while.
fn pause() {
    (0..30).for_each(|_| std::hint::spin_loop());
}

static SLED: OnceLock<Text> = OnceLock::new();

/// Sends threads that meet the sled's breakpoint on to the code behind it.
pub fn emulate(text: &Text) {
    SLED.get_or_init(|| *text);
    // SAFETY: `on_trap` reads a value that was set before and writes the interrupted context.
    let before = unsafe { signal::install(libc::SIGTRAP, &Action::handler(on_trap)) };
    before.expect("handlers can be installed");
}

extern "C" fn on_trap(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid ucontext to SA_SIGINFO handlers.
    let rip = unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    let sled = SLED.get().map_or(0, |text| text.run);
    if *rip as u64 != sled + 1 {
        fail(format_args!(
            "a breakpoint was met {} bytes from the sled",
            *rip as u64 as i64 - sled as i64
        ));
    }
    *rip = (sled + SLED_LEN as u64) as i64;
}
