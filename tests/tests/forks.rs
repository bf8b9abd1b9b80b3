//! Children of fork, _Fork and raw clone run sections on the CPU, whatever the parent's sleds held.

use hotsled::{Engine, PlugOptions};
use hotsled_tests::{Load, numbers, stir, stirred, until};

const ROUNDS: usize = 20;
const RIGHT: i32 = 7;
const WRONG: i32 = 8;

unsafe extern "C" {
    fn _Fork() -> i32;
}

fn raw_clone() -> i32 {
    // SAFETY: no new stack and no shared memory: the child is as after fork, without the hooks.
    unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32 }
}

fn fork() -> i32 {
    // SAFETY: the child makes section calls and exits.
    unsafe { libc::fork() }
}

fn bare_fork() -> i32 {
    // SAFETY: as for `fork`.
    unsafe { _Fork() }
}

/// Calls sections in a child. A raw clone may have caught any lock, so it may not allocate: buffers
/// are the parent's.
fn outcome(make: fn() -> i32, x: &[u32], wanted: &[u32], out: &mut [u32]) -> i32 {
    let pid = make();
    if pid == 0 {
        // SAFETY: a child that hangs is killed and fails the test.
        unsafe { libc::alarm(20) };
        stir(30, x, out);
        let code = if out == wanted { RIGHT } else { WRONG };
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(
        libc::WIFEXITED(status),
        "a child died of signal {}",
        libc::WTERMSIG(status)
    );
    libc::WEXITSTATUS(status)
}

#[test]
fn children_of_any_fork_run_cpu_code() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    engine.plug(PlugOptions::default()).unwrap();
    let load = Load::start(2, 60_000);
    until("a call on the device", || {
        engine.status().counts.calls_device > 0
    });
    let x = numbers(60_000);
    let wanted = stirred(30, &x);
    let mut out = vec![0; x.len()];
    for make in [fork, bare_fork, raw_clone] {
        for _ in 0..ROUNDS {
            assert_eq!(outcome(make, &x, &wanted, &mut out), RIGHT);
        }
    }
    assert_eq!(engine.status().devices[0].state, "bound");
    let (calls, wrong) = load.stop();
    assert!(calls > 0);
    assert_eq!(wrong, 0, "the parent's calls");
}
