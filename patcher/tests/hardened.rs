//! Hardened processes are patched; those in which that cannot work are told why, and nothing is patched.

mod common;
#[path = "common/restrict.rs"]
mod restrict;

use common::{SITES, adopt_all, all_are, wishes};
use hotsled_abi::NOP8;
use hotsled_patcher::{AliasError, Mode, Options, PatchError, Patcher, Want, WritePath};
use hotsled_sys::maps;

const HARDENINGS: [(&str, fn()); 3] = [
    ("mdwe", restrict::refuse_exec_gain),
    ("filter", restrict::deny_write_execute),
    ("capabilities", restrict::drop_capabilities),
];

#[test]
fn hardened_processes_are_patched() {
    let cases: Vec<String> = HARDENINGS
        .iter()
        .flat_map(|(name, _)| common::WAYS.map(|(way, _)| format!("{name} {way}")))
        .collect();
    let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
    common::in_processes("hardened_processes_are_patched", &cases, |case| {
        let (hardening, way) = case.split_once(' ').unwrap();
        HARDENINGS.iter().find(|h| h.0 == hardening).unwrap().1();
        assert!(hardening == "capabilities" || !writable_code_can_be_mapped());
        there_and_back(common::WAYS.iter().find(|w| w.0 == way).unwrap().1);
    });
}

fn writable_code_can_be_mapped() -> bool {
    let access = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a mapping of its own, if it succeeds.
    unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0) != libc::MAP_FAILED }
}

fn there_and_back(options: Options) {
    let patcher = Patcher::new(options).unwrap();
    let ids = adopt_all(&patcher);
    for want in [Want::Jump, Want::Idle, Want::Jump] {
        let report = patcher
            .switch(&wishes(&ids, want), Mode::AllOrNone)
            .unwrap();
        assert_eq!(report.switched.len(), SITES);
        assert!(all_are(want));
    }
    let regions = maps::read().unwrap();
    assert!(!regions.iter().any(|r| r.write && r.execute));
}

fn all_idle() -> bool {
    (0..SITES).all(|i| common::bytes(i) == NOP8)
}

fn new(path: WritePath) -> Result<Patcher, PatchError> {
    Patcher::new(Options {
        path,
        ..Options::default()
    })
}

/// Why no patcher can be made.
fn refusal(path: WritePath) -> PatchError {
    let error = new(path).err().expect("a patcher was made all the same");
    println!("{error}");
    error
}

#[test]
fn what_is_missing_is_named() {
    let cases = ["membarrier", "proc", "mem", "memfd", "neither"];
    common::in_processes("what_is_missing_is_named", &cases, |case| {
        match case {
            "membarrier" => {
                restrict::deny(libc::SYS_membarrier);
                assert!(matches!(refusal(WritePath::Auto), PatchError::Barrier(_)));
            }
            "proc" => {
                restrict::lose_proc();
                let error = refusal(WritePath::Auto);
                assert!(matches!(error, PatchError::Proc(_)));
                assert!(error.to_string().contains("mount /proc"));
            }
            "mem" => {
                restrict::deny(libc::SYS_pwrite64);
                assert!(matches!(
                    refusal(WritePath::ProcMem),
                    PatchError::WritePath(_)
                ));
                alias_serves();
            }
            "memfd" => {
                restrict::deny(libc::SYS_memfd_create);
                let error = refusal(WritePath::Alias);
                assert!(matches!(error, PatchError::Alias(AliasError::Unusable(_))));
                there_and_back(Options::default());
                return;
            }
            _ => {
                restrict::deny(libc::SYS_pwrite64);
                restrict::deny(libc::SYS_memfd_create);
                assert!(matches!(
                    refusal(WritePath::Auto),
                    PatchError::NoWritePath { .. }
                ));
            }
        }
        assert!(case == "mem" || all_idle());
    });
}

/// Left the choice, the patcher takes the path that works, and says so.
fn alias_serves() {
    let patcher = new(WritePath::Auto).unwrap();
    let ids = adopt_all(&patcher);
    patcher
        .switch(&wishes(&ids, Want::Jump), Mode::AllOrNone)
        .unwrap();
    assert!(all_are(Want::Jump));
    let status = patcher.status();
    assert_eq!(status.aliased, SITES);
    assert!(
        status.to_string().contains("/proc/self/mem does not work"),
        "{status}"
    );
}

#[test]
fn what_goes_missing_in_service_leaves_every_site_as_it_was() {
    let name = "what_goes_missing_in_service_leaves_every_site_as_it_was";
    common::in_processes(name, &["membarrier", "pwrite", "proc"], |case| {
        let patcher = new(WritePath::ProcMem).unwrap();
        let ids = adopt_all(&patcher);
        match case {
            "membarrier" => restrict::deny(libc::SYS_membarrier),
            "pwrite" => restrict::deny(libc::SYS_pwrite64),
            _ => restrict::lose_proc(),
        }
        let error = patcher
            .switch(&wishes(&ids, Want::Jump), Mode::WhatYouCan)
            .unwrap_err();
        println!("{error}");
        match case {
            "proc" => assert!(matches!(error, PatchError::Proc(_)), "{error}"),
            _ => assert!(
                matches!(error, PatchError::Interrupted { phase: "trap", .. }),
                "{error}"
            ),
        }
        assert!(all_idle() && all_are(Want::Idle));
        assert_eq!(patcher.state(ids[0]), Some(Want::Idle));
    });
}
