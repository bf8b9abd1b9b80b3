//! A panic and a backtrace pass through a sled's jump, its block and what the block leads to.

use std::backtrace::Backtrace;
use std::sync::Mutex;

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_trampolines::Pool;

static SEEN: Mutex<String> = Mutex::new(String::new());

#[inline(never)]
extern "C-unwind" fn lands_and_panics(_: u64, _: u64, _: u64, site: u32) -> u32 {
    *SEEN.lock().unwrap() = Backtrace::force_capture().to_string();
    std::panic::panic_any(site)
}

#[inline(never)]
fn enters_the_block(block: u64) -> u32 {
    // SAFETY: the block jumps to `lands_and_panics` with the site as fourth argument.
    let code =
        unsafe { std::mem::transmute::<u64, extern "C-unwind" fn(u64, u64, u64) -> u32>(block) };
    code(0, 0, 0) + 1
}

#[test]
fn a_panic_and_a_backtrace_pass_through_a_block() {
    let text = lands_and_panics as *const () as u64;
    let pool = Pool::publish(SiteAddr::new(text), TargetAddr::new(text), 0..4).unwrap();
    let block = pool.target(SiteId(3)).unwrap().get();
    let panic = std::panic::catch_unwind(|| enters_the_block(block)).unwrap_err();
    assert_eq!(*panic.downcast::<u32>().unwrap(), 3);
    let seen = SEEN.lock().unwrap();
    assert!(
        seen.contains("lands_and_panics") && seen.contains("enters_the_block"),
        "{seen}"
    );
}
