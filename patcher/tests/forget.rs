//! Sites of an object that is unloaded: no session touches them, no fork puts anything where they were, and
//! their addresses may be adopted again.

mod common;

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use hotsled_abi::{NOP8, SiteAddr, TargetAddr};
use hotsled_patcher::{Mode, NewSite, Options, PatchError, Patcher, Want, WritePath};

const ENTRY: usize = 16;
const ENTRIES: usize = 600;
const LEN: usize = (ENTRIES + 1) * ENTRY;

/// An "object" of sleds that return, and one `ret` that all jump to; `mark` tells it from others.
fn object(mark: u8) -> tempfile::NamedTempFile {
    let mut entry = [0xcc; ENTRY];
    entry[..8].copy_from_slice(&NOP8);
    entry[8] = 0xc3;
    entry[9] = mark;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&entry.repeat(ENTRIES)).unwrap();
    file.write_all(&[0xc3; ENTRY]).unwrap();
    file
}

/// Maps `file` as code, at `address` if that is not null.
fn load(file: &File, address: *mut libc::c_void) -> *mut libc::c_void {
    let access = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE
        | if address.is_null() {
            0
        } else {
            libc::MAP_FIXED
        };
    // SAFETY: a fresh mapping, or one in place of what this test unmapped.
    let at = unsafe { libc::mmap(address, LEN, access, flags, file.as_raw_fd(), 0) };
    assert_ne!(at, libc::MAP_FAILED);
    at
}

fn sites(base: u64) -> Vec<NewSite> {
    let at = |i: usize| base + (i * ENTRY) as u64;
    let target = TargetAddr::new(at(ENTRIES));
    let site = |i| NewSite {
        sled: SiteAddr::new(at(i)),
        target,
    };
    (0..ENTRIES).map(site).collect()
}

fn first_word(base: u64) -> [u8; 8] {
    // SAFETY: mapped readable by this test.
    unsafe { std::ptr::read_volatile(base as *const [u8; 8]) }
}

fn mark(base: u64) -> u8 {
    // SAFETY: as above.
    unsafe { std::ptr::read_volatile((base + 9) as *const u8) }
}

/// Whether `finds` holds in a child of fork(3).
fn child(finds: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child compares and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = i32::from(!finds());
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status == 0
}

#[test]
fn what_is_unloaded_is_left_alone() {
    common::in_every_way("what_is_unloaded_is_left_alone", load_and_unload);
}

fn load_and_unload(options: Options) {
    let patcher = Patcher::new(options).unwrap();
    let (one, other) = (object(1), object(2));
    let place = load(one.as_file(), std::ptr::null_mut());
    let base = place as u64;
    // SAFETY: the sleds and the `ret` of the mapping, which stays until they are forgotten.
    let first = unsafe { patcher.adopt(&sites(base)) }.unwrap();
    patcher
        .switch(&common::wishes(&first, Want::Jump), Mode::AllOrNone)
        .unwrap();
    assert_ne!(first_word(base), NOP8);
    let aliased = options.path == WritePath::Alias;
    assert!(child(
        || mark(base) == 1 && (first_word(base) == NOP8) == aliased
    ));

    patcher.forget(&first).unwrap();
    // SAFETY: nobody runs or patches this code any more.
    assert_eq!(unsafe { libc::munmap(place, LEN) }, 0);
    load(other.as_file(), place);
    assert_eq!(patcher.state(first[0]), None);
    let error = patcher.switch(&common::wishes(&first, Want::Idle), Mode::WhatYouCan);
    assert!(matches!(error, Err(PatchError::Forgotten { site, .. }) if site == first[0]));
    assert!(
        child(|| mark(base) == 2),
        "a fork brought the old object back"
    );

    // SAFETY: as before, for the object that came after it.
    let second = unsafe { patcher.adopt(&sites(base)) }.unwrap();
    assert!(
        second[0].0 > first[ENTRIES - 1].0,
        "numbers are never used again"
    );
    let report = patcher.switch(&common::wishes(&second, Want::Jump), Mode::AllOrNone);
    assert_eq!(report.unwrap().switched.len(), ENTRIES);
}

#[test]
fn an_object_that_went_without_a_word_is_an_error() {
    let name = "an_object_that_went_without_a_word_is_an_error";
    common::in_processes(name, &["mem"], |_| {
        let patcher = Patcher::new(common::WAYS[0].1).unwrap();
        let object = object(1);
        let place = load(object.as_file(), std::ptr::null_mut());
        // SAFETY: broken on purpose below, where nothing but the kernel touches the sites.
        let ids = unsafe { patcher.adopt(&sites(place as u64)) }.unwrap();
        // SAFETY: nobody runs this code.
        assert_eq!(unsafe { libc::munmap(place, LEN) }, 0);
        let error = patcher.switch(&common::wishes(&ids, Want::Jump), Mode::WhatYouCan);
        assert!(matches!(error, Err(PatchError::Unmapped { start, .. }) if start == place as u64));
    });
}
