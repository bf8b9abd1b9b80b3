//! Trampolines come to be in a process that may never make writable memory executable.

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_trampolines::Pool;

const PR_SET_MDWE: i32 = 65;
const NO_MDWE: i32 = 3;

extern "C" fn answer(_: u64, _: u64, _: u64, site: u32) -> u32 {
    site + 1
}

fn restricted_child() -> i32 {
    // SAFETY: restricts this process alone.
    if unsafe { libc::prctl(PR_SET_MDWE, 1, 0, 0, 0) } != 0 {
        return NO_MDWE;
    }
    if may_make_executable() {
        return 2;
    }
    let text = answer as *const () as u64;
    let Ok(pool) = Pool::publish(SiteAddr::new(text), TargetAddr::new(text), 0..8) else {
        return 1;
    };
    let block = pool.target(SiteId(6)).unwrap().get();
    // SAFETY: the block jumps to `answer` with the site as fourth argument.
    let block = unsafe { std::mem::transmute::<u64, extern "C" fn(u64, u64, u64) -> u32>(block) };
    if block(0, 0, 0) == 7 { 0 } else { 4 }
}

/// The control: what a simpler pool would do must fail here.
fn may_make_executable() -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh anonymous page.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, rights, flags, -1, 0) };
    // SAFETY: the page just made, which nobody uses.
    unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC) == 0 }
}

#[test]
fn a_pool_works_under_memory_deny_write_execute() {
    // SAFETY: the child runs this test's code alone and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = restricted_child();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "status {status:#x}");
    assert_ne!(
        libc::WEXITSTATUS(status),
        NO_MDWE,
        "needs Linux 6.3 or newer"
    );
    assert_eq!(libc::WEXITSTATUS(status), 0);
}
