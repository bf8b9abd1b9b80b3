//! The real program on a small photograph: its story, its files and its bad input.

use std::path::Path;
use std::process::{Command, Output};

use image_service::Picture;
use serde_json::Value;

fn tour(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tour"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A part of the sample: a test build computes the reference in a moment.
fn photograph(folder: &Path) -> String {
    let sample = Picture::decode(image_service::SAMPLE).unwrap();
    let (side, width) = (256, sample.width() as usize);
    let planes = sample.pixels().chunks(sample.plane());
    let rows = planes.flat_map(|plane| plane.chunks(width).take(side));
    let pixels = rows
        .flat_map(|row| &row[100..100 + side])
        .copied()
        .collect();
    let part = Picture::from_planes(side as u32, side as u32, pixels);
    let path = folder.join("photograph.png");
    std::fs::write(&path, part.encode().unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_story_goes_as_told_and_leaves_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let image = photograph(folder.path());
    let arguments = [
        "--seconds",
        "12",
        "--image",
        &image,
        "--out",
        "here",
        "--report",
        "r.json",
    ];
    let output = tour(folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let report = std::fs::read(folder.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    for zero in ["wrong_results", "lost_results", "failed_requests"] {
        assert_eq!(report[zero], 0, "{zero}");
    }
    for (count, expected) in [("plugs", 2), ("unplugs", 1), ("kills", 1), ("refusals", 1)] {
        assert_eq!(report[count], expected, "{count}");
    }
    for some in ["calls", "calls_cpu", "calls_device"] {
        assert!(report[some].as_u64() > Some(0), "{some}");
    }
    assert!(report["chunks_replayed"].is_u64());
    assert_eq!(report["simulated"], true);
    events_are_whole(&report);
    pictures_are_there(&folder.path().join("here"));
}

fn events_are_whole(report: &Value) {
    let events = report["events"].as_array().unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["plug", "unplug", "plug", "lost", "refused"]);
    let fields = [
        "at_ms",
        "kind",
        "sites_patched",
        "switch_us",
        "drain_us",
        "first_device_result_ms",
    ];
    for event in events {
        for field in fields {
            assert!(event.get(field).is_some(), "{field} in {event}");
        }
    }
    for plug in [&events[0], &events[2]] {
        assert!(plug["sites_patched"].as_u64() >= Some(7), "{plug}");
        assert!(plug["switch_us"].as_f64() > Some(0.0), "{plug}");
        assert!(
            plug["first_device_result_ms"].as_f64() > Some(0.0),
            "{plug}"
        );
    }
    assert!(events[1]["drain_us"].as_f64() > Some(0.0), "{}", events[1]);
}

fn pictures_are_there(folder: &Path) {
    let read = |name: &str, phase: &str| {
        let bytes = std::fs::read(folder.join(format!("{name}-{phase}.png"))).unwrap();
        Picture::decode(&bytes).unwrap()
    };
    for name in ["blur", "sobel", "unsharp", "contrast", "equalize"] {
        let cpu = read(name, "cpu");
        for phase in ["device", "after-unplug", "after-kill"] {
            assert!(read(name, phase) == cpu, "{name}-{phase}");
        }
    }
    let timeline = std::fs::read_to_string(folder.join("timeline.svg")).unwrap();
    assert!(timeline.starts_with("<svg") && timeline.contains("✕ killed"));
}

#[test]
fn what_it_cannot_read_or_write_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "no picture").unwrap();
    for (arguments, expected) in [
        (["--image", "missing.png"], "missing.png"),
        (["--image", "text"], "neither a PNG nor a JPEG"),
        (["--out", "text"], "--out text"),
        (["--seconds", "0"], "--seconds"),
    ] {
        let output = tour(folder.path(), &arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
}
