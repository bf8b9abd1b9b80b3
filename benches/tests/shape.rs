//! Each benchmark runs and prints rows of the promised form. No figure is looked at.

use std::process::Command;

use serde_json::{Map, Value};

type Fields = Map<String, Value>;

fn rows(args: &[&str]) -> Vec<Fields> {
    let output = Command::new(env!("CARGO_BIN_EXE_hotsled-bench"))
        .args(args)
        .args(["--quick", "--json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    let progress = format!("{} 1/", args[0]);
    assert!(said.contains(&progress), "{args:?} tells no progress");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The fields of a row that has figures; a row without says why, and only what a machine may lack is
/// without.
fn complete(row: &Fields) -> Option<Vec<&str>> {
    let scheme = row["scheme"].as_str().unwrap();
    if let Some(why) = row.get("skipped") {
        let why = why.as_str().unwrap();
        let missing = match scheme {
            "hotsled-fast" => why.contains("not qualified"),
            "xray" | "xray-direct" => why.contains("clang++-19"),
            _ => false,
        };
        assert!(missing, "{scheme}: {why}");
        return None;
    }
    Some(row.keys().map(String::as_str).collect())
}

fn schemes(rows: &[Fields]) -> Vec<&str> {
    rows.iter().map(|r| r["scheme"].as_str().unwrap()).collect()
}

const SCHEMES: [&str; 8] = [
    "hotsled",
    "hotsled-fast",
    "xray",
    "static-keys",
    "atomic-ptr",
    "arc-swap",
    "mprotect-per-site",
    "stop-the-world",
];

#[test]
fn switch_has_a_row_for_every_scheme_size_and_load() {
    const FIELDS: [&str; 6] = ["bench", "scheme", "sites", "busy", "us", "ns_per_site"];
    const PARTS: [&str; 4] = ["verify_us", "scan_us", "plan_us", "syncs"];
    let rows = rows(&["switch", "--sites", "3", "--busy", "0,2"]);
    assert_eq!(schemes(&rows), SCHEMES.repeat(2));
    for row in &rows {
        assert_eq!(
            (&row["bench"], &row["sites"]),
            (&"switch".into(), &3.into())
        );
        let Some(mut fields) = complete(row) else {
            continue;
        };
        let mut expected = FIELDS.to_vec();
        let syncs = match row["scheme"].as_str() {
            Some("hotsled") => Some(3),
            Some("hotsled-fast") => Some(1),
            _ => None,
        };
        if let Some(syncs) = syncs {
            expected.extend(PARTS);
            assert_eq!(row["syncs"], syncs);
        }
        fields.sort_unstable();
        expected.sort_unstable();
        assert_eq!(fields, expected);
        assert!(row["us"].as_f64() > Some(0.0), "{row:?}");
    }
}

#[test]
fn what_takes_too_long_is_skipped_and_says_so() {
    let args = ["switch", "--sites", "30000", "--busy", "0"];
    let rows = rows(&[&args[..], &["--schemes", "static-keys,mprotect-per-site"]].concat());
    for row in &rows {
        assert!(row["us"].is_null() && row["ns_per_site"].is_null());
        let why = row["skipped"].as_str().unwrap();
        assert!(why.contains("take too long"), "{why}");
    }
    assert_eq!(rows.len(), 2);
}

#[test]
fn stall_has_a_control_and_a_row_for_every_scheme() {
    const FIELDS: [&str; 9] = [
        "bench",
        "scheme",
        "sites",
        "flips",
        "calls",
        "p50_ns",
        "p99_ns",
        "p99.9_ns",
        "p99.99_ns",
    ];
    let rows = rows(&["stall", "--sites", "3"]);
    assert_eq!(schemes(&rows), [&["none"], &SCHEMES[..]].concat());
    for row in &rows {
        let Some(mut fields) = complete(row) else {
            continue;
        };
        let mut expected = FIELDS;
        fields.sort_unstable();
        expected.sort_unstable();
        assert_eq!(fields, expected);
        assert_eq!(row["flips"] == 0, row["scheme"] == "none", "{row:?}");
        assert!(row["calls"].as_u64() > Some(0));
    }
}

#[test]
fn call_has_both_states() {
    const FIELDS: [&str; 5] = ["bench", "instructions", "ns_per_call", "scheme", "state"];
    let rows = rows(&["call"]);
    let of = |state: &str| rows.iter().filter(|r| r["state"] == state).count();
    assert_eq!((of("idle"), of("active")), (9, 6));
    for row in &rows {
        let Some(mut fields) = complete(row) else {
            continue;
        };
        fields.sort_unstable();
        assert_eq!(fields, FIELDS);
        assert!(row["ns_per_call"].as_f64() > Some(0.0));
    }
}
