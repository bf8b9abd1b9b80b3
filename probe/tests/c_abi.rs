//! The C ABI's bad arguments, its messages, and what a fork is told.

mod common;

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use common::{CLANG, Workshop};
use hotsled_probe::ffi::*;

const SOURCE: &str = "
    __attribute__((noinline)) int one(int x) { return x + 1; }
    __attribute__((patchable_function_entry(2, 0))) int small(int x) { return x; }
";

fn last_error() -> String {
    let mut buffer = [1; 256];
    // SAFETY: the buffer has the room that is named.
    let len = unsafe { hotsled_probe_last_error(buffer.as_mut_ptr().cast(), buffer.len()) };
    let text = CStr::from_bytes_until_nul(&buffer)
        .unwrap()
        .to_str()
        .unwrap();
    assert_eq!(text.len(), len.min(255));
    text.to_owned()
}

fn adopt(
    inside: *const c_void,
    nops: u16,
    before: u16,
    fuse: u32,
    adopted: &mut usize,
) -> (Status, Vec<String>) {
    let mut refused: Vec<String> = Vec::new();
    let into = (&raw mut refused).cast();
    // SAFETY: the object was compiled with 16,0; other numbers are refused.
    let status =
        unsafe { hotsled_probe_adopt(inside, nops, before, fuse, Some(push), into, adopted) };
    (status, refused)
}

extern "C" fn push(_function: *const c_void, reason: *const c_char, refused: *mut c_void) {
    // SAFETY: `adopt` passes its vector.
    let refused = unsafe { &mut *refused.cast::<Vec<String>>() };
    // SAFETY: the library passes a C string.
    let reason = unsafe { CStr::from_ptr(reason) };
    refused.push(reason.to_str().unwrap().to_owned());
}

fn bad_arguments_are_named(one: *const c_void) {
    let mut adopted = 77;
    let none = (Status::Argument, vec![]);
    assert_eq!(adopt(one, 16, 16, HOTSLED_FUSE_REFUSE, &mut adopted), none);
    assert_eq!(adopt(one, 16, 0, 9, &mut adopted), none);
    assert!(last_error().contains("fuse"));
    assert_eq!(adopt(null(), 16, 0, 0, &mut adopted).0, Status::NotLoaded);
    assert!(last_error().contains("no loaded module contains 0x0"));
    let libc = libc::getpid as *const c_void;
    assert_eq!(adopt(libc, 16, 0, 0, &mut adopted).0, Status::File);
    assert!(last_error().contains("__patchable_function_entries"));
    assert_eq!((hotsled_probe_count(one), adopted), (Status::Unknown, 77));
    // SAFETY: nothing is adopted, and a null replacement is refused.
    let null = unsafe { hotsled_probe_replace(one, null()) };
    assert_eq!(null, Status::Argument);
}

fn every_status_has_its_message() {
    let message = |status| {
        // SAFETY: messages are C strings that live for ever.
        unsafe { CStr::from_ptr(hotsled_probe_message(status)) }
            .to_str()
            .unwrap()
    };
    let mut messages: Vec<_> = (0..=Status::Interrupted as i32).map(message).collect();
    messages.push(message(-1));
    assert_eq!(message(99), message(-1));
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages.len(), 10);
    // SAFETY: a null buffer asks for the length alone.
    let len = unsafe { hotsled_probe_last_error(null_mut(), 9) };
    let mut zero = 7;
    // SAFETY: one byte has room for the final zero.
    let again = unsafe { hotsled_probe_last_error(&mut zero, 1) };
    assert!(len > 0 && (again, zero) == (len, 0));
}

/// In a child of fork(2): its exit code says what it was told.
fn a_child_is_refused_and_runs_on(one: *const c_void, call: extern "C" fn(i32) -> i32) {
    // SAFETY: the child calls functions of this test alone and leaves by _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let told = hotsled_probe_restore(one) as i32;
        let code = if call(1) == 2 { told } else { 100 };
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` has room for a status.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(libc::WEXITSTATUS(status), Status::Forked as i32);
}

#[test]
fn c_callers_are_told_what_is_wrong() {
    let shop = Workshop::new();
    let object = shop.object(CLANG, "-O2 -fpatchable-function-entry=16", "abi", SOURCE);
    let (one, call) = (
        object.address("one") as *const c_void,
        object.function("one"),
    );
    bad_arguments_are_named(one);
    every_status_has_its_message();

    let mut adopted = 0;
    let (status, refused) = adopt(one, 16, 0, HOTSLED_FUSE_AT_LOAD, &mut adopted);
    assert_eq!((status, adopted, refused.len()), (Status::Ok, 1, 1));
    assert!(refused[0].starts_with("small at 0x"), "{refused:?}");
    assert_eq!(hotsled_probe_count(one), Status::Ok);
    assert_eq!(call(1), 2);
    let mut calls = 0;
    // SAFETY: `calls` has room for the number.
    let told = unsafe { hotsled_probe_calls(one, &mut calls) };
    assert_eq!((told, calls), (Status::Ok, 1));
    // SAFETY: null asks for nothing.
    let told = unsafe { hotsled_probe_calls(one, null_mut()) };
    assert_eq!(told, Status::Ok);
    a_child_is_refused_and_runs_on(one, call);
    assert_eq!(hotsled_probe_restore(one), Status::Ok);
    assert_eq!(hotsled_probe_count(null()), Status::Unknown);
}
