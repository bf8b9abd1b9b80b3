//! A process under a debugger is refused, unless told otherwise.

mod common;

use hotsled_patcher::{Mode, Options, PatchError, Patcher, Traced, Want};

/// In a traced child: whether a switch is refused with the tracer's pid (0) or done (1).
fn traced_child(traced: Traced, parent: i32) -> i32 {
    // SAFETY: makes the parent the tracer of this process.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    let patcher = Patcher::new(Options {
        traced,
        ..Options::default()
    })
    .unwrap();
    let wishes = common::wishes(&common::adopt_all(&patcher), Want::Jump);
    match patcher.switch(&wishes, Mode::AllOrNone) {
        Err(PatchError::Traced { tracer }) if tracer == parent => 0,
        Ok(_) => 1,
        _ => 2,
    }
}

fn outcome(traced: Traced) -> i32 {
    let parent = hotsled_sys::tid(); // TracerPid names the tracing thread
    // SAFETY: the child runs this test's code alone and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = traced_child(traced, parent);
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "status {status:#x}");
    libc::WEXITSTATUS(status)
}

#[test]
fn a_tracer_is_refused_by_pid_unless_asked_for() {
    assert_eq!(outcome(Traced::Refuse), 0);
    assert_eq!(outcome(Traced::Patch), 1);
}
