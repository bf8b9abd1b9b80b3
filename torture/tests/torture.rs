//! The torture finds nothing wrong for a while, and finds what is.

use std::process::Command;

use serde_json::Value;

/// Its exit status must be 0; what it printed.
fn torture(arguments: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_torture"));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", output.status);
    let rows = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_few_seconds_of_everything_are_survived() {
    let rows = torture(&["switch", "--seconds", "9", "--json"]);
    let ways: Vec<_> = rows.iter().filter_map(|row| row["way"].as_str()).collect();
    assert_eq!(ways, ["mem", "alias", "store"]);
    assert!(
        rows.iter().all(|row| row["toggles"].as_u64() > Some(100)),
        "{rows:?}"
    );
}

#[test]
fn every_sabotage_is_caught_and_every_control_survives() {
    let rows = torture(&["must-fail", "--control-seconds", "2", "--json"]);
    let wrong = |row: &&Value| row["caught"] != !row["breaks"].is_null();
    let wrong: Vec<_> = rows.iter().filter(wrong).collect();
    assert!(rows.len() > 6 && wrong.is_empty(), "{wrong:?}");
}
