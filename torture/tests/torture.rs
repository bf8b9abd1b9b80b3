//! The torture finds nothing wrong for a while, and finds what is.

use std::process::Command;

use serde_json::Value;

fn torture(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_torture"));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_few_seconds_of_everything_are_survived() {
    let row = torture(&["switch", "--seconds", "5", "--json"]);
    assert!(row["toggles"].as_u64() > Some(1000), "{row}");
    assert!(row["traps"].as_u64() > Some(0), "{row}");
}

#[test]
fn every_sabotage_is_caught_and_every_control_survives() {
    let rows = torture(&["must-fail", "--control-seconds", "2", "--json"]);
    let rows = rows.as_array().unwrap();
    let caught = |row: &&Value| row["caught"] == true;
    assert_eq!((rows.len(), rows.iter().filter(caught).count()), (7, 4));
}
