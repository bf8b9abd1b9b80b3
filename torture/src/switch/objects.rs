//! A shared object that is loaded, adopted, flipped, forgotten and unloaded, over and over.

use std::ffi::{CStr, CString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_patcher::{Mode, NewSite, PatchError, Want};
use tempfile::NamedTempFile;

use super::field::Field;
use crate::failure::fail;
use crate::random::Random;
use crate::sleds::NEW;
use crate::tally::TALLY;

/// The object, built from `fixture/object.s`.
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/object.so"));
/// What its idle sled returns.
const RESULT: u32 = 0x2a;

/// Loads and unloads until the field is closed.
pub fn run(field: &Field, _: Random) {
    let file = file().expect("a temporary file");
    let path = CString::new(file.path().as_os_str().as_bytes()).expect("a path without zeroes");
    while field.is_open() {
        once(field, &path);
        TALLY.objects.add(1);
        std::thread::yield_now();
    }
}

/// The object has a name, because an alias takes a child's text from the file that it came from.
fn file() -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::with_suffix(".so")?;
    file.write_all(OBJECT)?;
    Ok(file)
}

/// Loads, adopts, flips, forgets and unloads.
fn once(field: &Field, path: &CStr) {
    // SAFETY: the object has no initialisers.
    let object = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if object.is_null() {
        fail(format_args!("the object cannot be loaded"));
    }
    let [sled, target] = [c"object_sled", c"object_target"].map(|name| {
        // SAFETY: the handle is valid until dlclose.
        unsafe { libc::dlsym(object, name.as_ptr()) as u64 }
    });
    if let Err(error) = flip(field, sled, target) {
        fail(format_args!("the object's sled: {error}"));
    }
    // SAFETY: its site is forgotten, and nobody else runs its code.
    unsafe { libc::dlclose(object) };
}

fn flip(field: &Field, sled: u64, target: u64) -> Result<(), PatchError> {
    let site = NewSite {
        sled: SiteAddr::new(sled),
        target: TargetAddr::new(target),
    };
    let with_others = field.sessions.read(); // to adopt is a session, too
    // SAFETY: the object's own sled, which stays loaded until it is forgotten, and a function of the same
    // type, which nobody runs once it is unloaded.
    let ids = unsafe { field.patcher.adopt(&[site]) }?;
    drop(with_others);
    for (want, result) in [(Want::Jump, RESULT | NEW), (Want::Idle, RESULT)] {
        expect(field, sled, &[(ids[0], want)], result)?;
    }
    let _with_others = field.sessions.read();
    field.patcher.forget(&ids)
}

/// A session that is held up leaves the sled as it was.
fn expect(
    field: &Field,
    sled: u64,
    wish: &[(SiteId, Want)],
    result: u32,
) -> Result<(), PatchError> {
    let _with_others = field.sessions.read();
    match field.patcher.switch(wish, Mode::AllOrNone) {
        Ok(_) => {}
        Err(PatchError::TrapBlocked(_)) => {
            TALLY.held_up.add(1);
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    // SAFETY: sled and target are functions of this type.
    let sled = unsafe { std::mem::transmute::<u64, extern "C" fn() -> u32>(sled) };
    let got = sled();
    if got != result {
        fail(format_args!(
            "the object's sled returned {got:#x}, not {result:#x}"
        ));
    }
    Ok(())
}
