//! The whole suite, small: on the CPU, on the simulated accelerator, through a storm, and as a program.

use std::process::{Command, Output};

use hotsled::Engine;
use kernels::{ALL, Entry, Row, Setup, Target};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kernels");

fn every_kernel_is_right(on: Target, engine: &Engine) {
    let device = on.plug(engine, &[]).unwrap();
    for entry in ALL {
        let row = measured(entry, on, engine);
        assert!(row.ok, "{row:?}");
        assert!(row.exact || entry.tolerance > 0.0, "{row:?}");
        assert_eq!(row.device_share > 0.0, device.is_some(), "{row:?}");
    }
    if device.is_some() {
        engine.unplug(None).unwrap();
    }
}

/// At the first size from its small one on that repays the way to the device, on this machine as busy
/// as it is.
fn measured(entry: &'static Entry, on: Target, engine: &Engine) -> Row {
    let mut rows = (0..4).map(|n| kernels::measure(entry, entry.small << n, on, engine));
    let too_small = |row: &Row| row.note.as_ref().is_some_and(|n| n.contains("shorter"));
    let first = rows.next().unwrap();
    if !too_small(&first) {
        return first;
    }
    rows.find(|row| !too_small(row)).unwrap_or(first)
}

fn every_kernel_stands_the_storm(engine: &Engine) {
    let entries: Vec<&Entry> = ALL.iter().collect();
    let rows = kernels::storm(&entries, (Target::Sim, &[]), 4, engine).unwrap();
    for row in &rows {
        assert_eq!(row.wrong, 0, "{row:?}");
        assert!(row.runs > 4, "{row:?}");
    }
    let used = rows.iter().filter(|r| r.calls_device > 0).count();
    assert!(
        used > ALL.len() / 2,
        "the storm passed the kernels by: {rows:?}"
    );
    let totals = engine.status().totals;
    assert_eq!((totals.losses, totals.refusals), (2, 0));
}

#[test]
fn every_kernel_is_right_everywhere() {
    let engine = kernels::engine(PROGRAM.into(), Setup::default()).unwrap();
    every_kernel_is_right(Target::Cpu, &engine);
    every_kernel_is_right(Target::Sim, &engine);
    every_kernel_stands_the_storm(&engine);
}

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(PROGRAM);
    // As on a machine without any Vulkan driver.
    program.env("VK_DRIVER_FILES", "/nonexistent.json");
    program.env("VK_ICD_FILENAMES", "/nonexistent.json");
    program.args(arguments).output().unwrap()
}

fn rows(output: &Output) -> Vec<Value> {
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    rows.as_array().unwrap().clone()
}

#[test]
fn the_program_prints_rows() {
    let output = run(&["mandelbrot", "--on", "cpu,sim", "--size", "160", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let rows = rows(&output);
    assert_eq!(rows.len(), 2);
    for (row, on) in rows.iter().zip(["cpu", "sim"]) {
        assert_eq!(
            (&row["kernel"], &row["on"]),
            (&"mandelbrot".into(), &on.into())
        );
        assert_eq!(row["size"], 160);
        assert_eq!((&row["ok"], &row["exact"]), (&true.into(), &true.into()));
        for figure in ["seconds", "rayon_seconds", "ratio"] {
            assert!(row[figure].as_f64().unwrap() > 0.0, "{figure}: {row}");
        }
    }
}

#[test]
fn a_call_too_small_for_the_device_is_not_passed_off_as_the_devices() {
    let output = run(&[
        "saxpy",
        "--on",
        "sim",
        "--size",
        "16",
        "--measured",
        "--json",
    ]);
    assert!(!output.status.success());
    let row = &rows(&output)[0];
    assert_eq!((&row["ok"], &row["seconds"]), (&false.into(), &Value::Null));
    assert!(row["note"].as_str().unwrap().contains("no chunk"), "{row}");
}

#[test]
fn a_missing_driver_is_named() {
    let output = run(&["dot", "--on", "vulkan", "--size", "100", "--json"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("apt-get install"), "{said}");
    assert_eq!(rows(&output)[0]["ok"], false);
}

#[test]
fn an_unknown_kernel_is_answered_with_the_names() {
    let output = run(&["saxpi"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("saxpi") && said.contains("lattice-boltzmann"),
        "{said}"
    );
}

#[test]
fn the_list_names_every_kernel_and_its_source() {
    let output = run(&["--list"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for entry in ALL {
        assert!(text.contains(entry.name) && text.contains(entry.source));
    }
}
