//! Builds the shared object that the torture loads and unloads.

use std::path::Path;
use std::process::Command;

fn main() {
    let source = "fixture/object.s";
    println!("cargo::rerun-if-changed={source}");
    let out = std::env::var_os("OUT_DIR").expect("cargo names the folder");
    let object = Path::new(&out).join("object.so");
    let status = Command::new("cc")
        .args(["-shared", "-nostdlib", "-o"])
        .arg(object)
        .arg(source)
        .status();
    let status = status.expect("a C linker named cc, as rustc needs");
    assert!(status.success(), "cc ended with {status}");
}
