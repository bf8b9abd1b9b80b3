//! Two plugins, each with a copy of the crate, beside the program's: one engine, one handler, and
//! panics that reach the copy whose code panicked.

use hotsled::{Engine, PlugOptions};
use hotsled_tests::plugin::{self, Plugin};
use hotsled_tests::{numbers, stir, stirred};

fn handlers() -> usize {
    // SAFETY: a null new action only reads the current one.
    let mut now = unsafe { std::mem::zeroed::<libc::sigaction>() };
    // SAFETY: there is room for the answer.
    unsafe { libc::sigaction(libc::SIGTRAP, std::ptr::null(), &mut now) };
    now.sa_sigaction
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Exit code of a fork that runs `right`: 0 if it was.
fn in_a_fork(right: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child runs a call of a section, as a fork may, and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = i32::from(!right());
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
fn later_copies_join_the_first_engine() {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["a.so", "b.so"].map(|name| plugin::copy(directory.path(), name));
    // Before there is an engine, a copy runs its own sections.
    let early = Plugin::load(&paths[0]);
    let x = numbers(40_000);
    let wanted = stirred(20, &x);

    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let late = Plugin::load(&paths[1]);
    engine.rescan().unwrap();
    let paths_of = |engine: &Engine| -> Vec<String> {
        let objects = engine.status().objects;
        objects.into_iter().map(|o| o.path).collect()
    };
    assert_eq!(paths_of(&engine).len(), 3, "{:?}", paths_of(&engine));
    engine.plug(PlugOptions::default()).unwrap();
    let mut out = vec![0; x.len()];
    stir(20, &x, &mut out); // makes the engine's workers
    let (handler, before) = (handlers(), threads());

    for plugin in [&early, &late] {
        assert_eq!(plugin.start_engine(), 1, "another copy runs the engine");
        assert!(plugin.twist(20, &x) == wanted);
        // x[i + 7] of 40000 elements fails first at i = 39993, whose index is 40000.
        assert_eq!(plugin.shifted(7, &x), 40_000, "the lowest index's panic");
        assert_eq!(plugin.shifted(0, &x), 0);
    }
    assert_eq!(handlers(), handler, "no copy took the handler");
    assert_eq!(threads(), before, "no copy made threads");

    assert_eq!(in_a_fork(|| late.twist(3, &x) == stirred(3, &x)), 0);

    let sections = engine.status().sections;
    let twists: Vec<_> = sections
        .iter()
        .filter(|s| s.path.ends_with("::twist"))
        .collect();
    assert_eq!(twists.len(), 2);
    assert_ne!(twists[0].site, twists[1].site);
    for twist in twists {
        assert_eq!(twist.place, "device");
        assert_eq!(twist.counts.calls, 1);
    }
}
