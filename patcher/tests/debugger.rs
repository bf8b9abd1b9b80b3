//! Under a real gdb: refused, with what to type; patched when asked to, but for sleds that hold one of its
//! breakpoints; and breakpoints go on working in patched pages that are private.

mod common;

use std::process::Command;

use common::{NEW, SITES, call, wishes};
use hotsled_abi::INT3;
use hotsled_patcher::{
    Mode, Options, PatchError, Patcher, Report, SingleStore, Traced, Want, WritePath,
};

const CASE: &str = "HOTSLED_TEST_CASE";
const HERE: &str = "break debugger_stops_here";
/// Where the debugger has its breakpoint.
const BROKEN: usize = 77;

/// Runs test `name` for `case` under gdb, which does `commands` once the program is loaded; what both say.
fn under_gdb(name: &str, case: &str, commands: &[&str]) -> String {
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-nx", "-batch", "-ex", "set confirm off"]);
    gdb.args(["-ex", "set language c", "-ex", "starti"]);
    gdb.args(commands.iter().flat_map(|c| ["-ex", c]));
    gdb.arg("--args").arg(std::env::current_exe().unwrap());
    gdb.args([name, "--exact", "--nocapture"]).env(CASE, case);
    let output = gdb.output().expect("gdb, from the Debian package gdb");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    println!("{said}");
    said
}

/// gdb's words for sled `i`.
fn at_sled(i: usize) -> String {
    format!("*((unsigned long)&test_sleds + {})", 16 * i)
}

fn patcher(traced: Traced, path: WritePath) -> Patcher {
    let single_store = SingleStore::Never;
    Patcher::new(Options {
        traced,
        path,
        single_store,
    })
    .unwrap()
}

#[test]
fn a_debugger_is_refused_with_what_to_type() {
    let name = "a_debugger_is_refused_with_what_to_type";
    if std::env::var(CASE).is_ok() {
        let patcher = patcher(Traced::Refuse, WritePath::Auto);
        let jump = wishes(&common::adopt_all(&patcher), Want::Jump);
        let error = patcher.switch(&jump, Mode::AllOrNone).unwrap_err();
        assert!(matches!(error, PatchError::Traced { .. }));
        assert!(common::all_are(Want::Idle));
        println!("told: {error}");
        return;
    }
    let said = under_gdb(name, "refused", &["continue"]);
    assert!(said.contains("told: process ") && said.contains("gdb: `detach`"));
    assert!(said.contains("exited normally"));
}

#[test]
fn a_breakpoint_in_a_sled_refuses_that_sled_alone() {
    let name = "a_breakpoint_in_a_sled_refuses_that_sled_alone";
    if std::env::var(CASE).is_ok() {
        return flip_around_a_breakpoint();
    }
    let breakpoint = format!("break {}", at_sled(BROKEN));
    let said = under_gdb(
        name,
        "patch",
        &[HERE, "continue", &breakpoint, "continue", "signal SIGTRAP"],
    );
    assert!(said.contains("told: site 77"), "the site is named");
    assert!(
        said.contains("received signal SIGTRAP"),
        "our breakpoints stop in gdb"
    );
    assert!(said.contains("exited normally"));
}

fn flip_around_a_breakpoint() {
    let patcher = patcher(Traced::Patch, WritePath::ProcMem);
    let ids = common::adopt_all(&patcher);
    debugger_stops_here();
    for want in [Want::Jump, Want::Idle].repeat(3) {
        let report = patcher
            .switch(&wishes(&ids, want), Mode::WhatYouCan)
            .unwrap();
        check(&report, want);
    }
    // As a thread meets it in a session: gdb stops, and passes the signal on when told to.
    common::poke(3, INT3);
    assert_eq!(call(3), 3);
}

fn check(report: &Report, want: Want) {
    assert!(report.tracer.is_some(), "the tracer is told");
    assert_eq!(report.switched.len(), SITES - 1);
    if want == Want::Jump {
        assert_eq!(
            (report.refused.len(), report.refused[0].site.0),
            (1, BROKEN as u32)
        );
        assert_eq!(report.refused[0].found[0], INT3);
        println!("told: {}", report.refused[0]);
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn debugger_stops_here() {
    std::hint::black_box(0);
}

#[test]
fn breakpoints_work_in_private_pages_and_are_refused_in_shared_ones() {
    let name = "breakpoints_work_in_private_pages_and_are_refused_in_shared_ones";
    if let Ok(case) = std::env::var(CASE) {
        let path = if case == "mem" {
            WritePath::ProcMem
        } else {
            WritePath::Alias
        };
        return stop_between_switches(&patcher(Traced::Patch, path));
    }
    let (first, jumping) = (at_sled(5), at_sled(9));
    let commands = [
        HERE,
        "continue",
        &format!("break {first}"),
        &format!("break {jumping}"),
        "continue", // to the idle sled
        "continue", // to the jumping one
        "delete",
        "continue",
    ];
    let said = under_gdb(name, "mem", &commands);
    assert!(said.contains("Breakpoint 2, ") && said.contains("Breakpoint 3, "));
    assert!(said.contains("exited normally"));
    let said = under_gdb(name, "alias", &commands);
    assert!(said.contains("Cannot insert breakpoint"));
}

fn stop_between_switches(patcher: &Patcher) {
    let ids = common::adopt_all(patcher);
    let jump = |i: usize| {
        patcher
            .switch(&[(ids[i], Want::Jump)], Mode::AllOrNone)
            .unwrap()
    };
    jump(9);
    debugger_stops_here();
    assert_eq!((call(5), call(9)), (5, 9 | NEW));
    jump(5); // the debugger has taken its breakpoints away
    assert_eq!(call(5), 5 | NEW);
}
