//! `hotsled inspect --emit`: every section of a program in every form, by running the device host program.

use std::path::Path;

use hotsled_cli::inspect;
use hotsled_cli::lowering::{LoweringError, text};
use hotsled_tests::{numbers, saxpy, stir};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hotsled-test-device");

/// Keeps both sections in this program.
#[test]
fn sections_are_shown_in_every_form() {
    saxpy(1.0, &[1.0], &mut [1.0]);
    stir(1, &numbers(4), &mut [0; 4]);
    let report = inspect::file(&std::env::current_exe().unwrap()).unwrap();
    assert_eq!(report.sections.len(), 2);
    for (form, sign) in [
        ("spirv", "OpEntryPoint"),
        ("ptx", ".visible .entry"),
        ("clif", "function u0:0"),
        ("asm", "ret"),
        ("ir", "parallel"),
    ] {
        for section in &report.sections {
            let text = text(Some(Path::new(PROGRAM)), &section.module, form).unwrap();
            assert!(text.contains(sign), "{form} of {}: {text}", section.path);
        }
    }
}

#[test]
fn damaged_bytes_and_absent_programs_are_named() {
    let refused = text(Some(Path::new(PROGRAM)), b"HSIR?", "spirv").unwrap_err();
    assert!(matches!(&refused, LoweringError::Refused(_)), "{refused}");
    let absent = text(Some(Path::new("/nowhere/hotsled-device")), b"", "ptx").unwrap_err();
    assert!(
        absent.to_string().contains("/nowhere/hotsled-device"),
        "{absent}"
    );
}
