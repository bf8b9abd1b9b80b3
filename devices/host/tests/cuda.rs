//! What is said of drivers that are not there, too old, or without a device. Devices themselves are under the
//! conformance suite, on machines that have one.
#![cfg(feature = "cuda")]

use std::path::Path;
use std::process::{Command, Output};

/// Every call that the host looks up.
const CALLS: &[&str] = &[
    "cuInit",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceTotalMem_v2",
    "cuDeviceGetAttribute",
    "cuDeviceGetUuid",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxSetCurrent",
    "cuLinkCreate_v2",
    "cuLinkAddData_v2",
    "cuLinkComplete",
    "cuLinkDestroy",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuModuleGetFunction",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventQuery",
    "cuEventDestroy_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemHostGetDevicePointer_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuLaunchKernel",
];

/// A driver whose every call gives `result`.
fn make_driver(folder: &Path, calls: &[&str], result: i32) {
    let functions = calls
        .iter()
        .map(|name| format!("int {name}(void) {{ return {result}; }}\n"));
    let source = folder.join("driver.c");
    std::fs::write(&source, functions.collect::<String>()).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&folder.join("libcuda.so.1"), &source])
        .status();
    assert!(made.unwrap().success());
}

fn host(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotsled-device"))
        .arg("cuda")
        .args(arguments)
        .env("LD_LIBRARY_PATH", folder)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_library_that_is_none_is_no_driver() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("libcuda.so.1"), "not a library").unwrap();
    let said = said(&host(folder.path(), &["--list"]));
    assert!(said.contains("no CUDA driver"), "{said}");
}

#[test]
fn a_driver_without_a_call_that_is_needed_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    make_driver(folder.path(), &CALLS[..CALLS.len() - 1], 0);
    let said = said(&host(folder.path(), &["--list"]));
    assert!(said.contains("too old: it has no launch"), "{said}");
}

#[test]
fn a_driver_without_a_device_lists_none_and_serves_none() {
    let folder = tempfile::tempdir().unwrap();
    make_driver(folder.path(), CALLS, 100);
    let listed = host(folder.path(), &["--list", "--json"]);
    assert!(listed.status.success());
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), "[]");
    let (ours, _theirs) = hotsled_sys::seqpacket::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled-device"));
    command.args(["cuda", "--link-fd", "3"]);
    command.env("LD_LIBRARY_PATH", folder.path());
    command.stderr(std::process::Stdio::piped());
    let child = hotsled_sys::spawn::with_descriptor(command, ours, 3).unwrap();
    let said = said(&child.wait_with_output().unwrap());
    assert!(
        said.contains("there is no CUDA device 0; 0 were found"),
        "{said}"
    );
}

#[test]
fn a_driver_that_fails_is_told_by_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    make_driver(folder.path(), CALLS, 999);
    let said = said(&host(folder.path(), &["--list"]));
    assert!(said.contains("initialising: ? (999)"), "{said}");
}
