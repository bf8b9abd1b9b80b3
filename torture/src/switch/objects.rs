//! A shared object that is loaded, run and unloaded, over and over.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use hotsled_sys::map::{Access, Mapping, Sharing};
use hotsled_sys::memfd;
use hotsled_sys::page::PageLen;

use super::field::Field;
use crate::failure::fail;
use crate::random::Random;
use crate::tally::TALLY;

/// The object, built from `fixture/object.s`.
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/object.so"));
/// What its idle sled returns.
const RESULT: u32 = 0x2a;

/// Loads and unloads until the field is closed.
pub fn run(field: &Field, _: Random) {
    let file = file().expect("a file of memory");
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let path = path.expect("no zero in a number");
    while field.is_open() {
        once(&path);
        TALLY.objects.add(1);
        std::thread::yield_now();
    }
}

/// A file of memory is a file that nobody else can change or miss.
fn file() -> std::io::Result<OwnedFd> {
    let len = PageLen::holding(OBJECT.len());
    let file = memfd::create(c"torture-object", len)?;
    let mapping = Mapping::of_file(file.as_fd(), len, Access::ReadWrite, Sharing::Shared)?;
    // SAFETY: the mapping is at least as long as the object, and nobody else has it.
    unsafe {
        mapping
            .start()
            .copy_from_nonoverlapping(OBJECT.as_ptr(), OBJECT.len())
    };
    Ok(file)
}

fn once(path: &CStr) {
    // SAFETY: the object has no initialisers.
    let object = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if object.is_null() {
        fail(format_args!("the object cannot be loaded"));
    }
    // SAFETY: the handle is valid until dlclose.
    let sled = unsafe { libc::dlsym(object, c"object_sled".as_ptr()) };
    if sled.is_null() {
        fail(format_args!("the object has no sled"));
    }
    // SAFETY: the symbol is a function of this type.
    let sled = unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> u32>(sled) };
    let got = sled();
    if got != RESULT {
        fail(format_args!("the object's sled returned {got:#x}"));
    }
    // SAFETY: nobody runs its code any more.
    unsafe { libc::dlclose(object) };
}
