//! `hotsled inspect` on this very test program, and on damaged copies of it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use hotsled::parallel;
use hotsled_cli::inspect::{self, Fault, FileError};
use proptest::prelude::*;

#[hotsled::section]
fn saxpy(a: f32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = a * x[i] + y[i];
    }
}

#[hotsled::section]
fn lookup(x: &[u32], table: &[u32], out: &mut [u32]) {
    for i in parallel(0..out.len()) {
        out[i] = table[x[i] as usize];
    }
}

fn own() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        saxpy(1.0, &[], &mut []);
        lookup(&[], &[], &mut []);
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    })
}

fn hotsled(arguments: &[&str], file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled"));
    command
        .arg("inspect")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap()
}

/// File offset of a section of this program.
fn place(name: &str) -> (usize, usize) {
    let elf = goblin::elf::Elf::parse(own()).unwrap();
    let named = |h: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(h.sh_name) == Some(name);
    let header = elf.section_headers.iter().find(named).unwrap();
    (header.sh_offset as usize, header.sh_size as usize)
}

/// Address of a section of this program.
fn place_in_memory(name: &str) -> u64 {
    let elf = goblin::elf::Elf::parse(own()).unwrap();
    let named = |h: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(h.sh_name) == Some(name);
    elf.section_headers.iter().find(named).unwrap().sh_addr
}

fn damaged(name: &str, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = own().to_vec();
    bytes[place(name).0 + at] ^= byte;
    bytes
}

#[test]
fn lists_every_section_of_a_real_program() {
    let report = inspect::bytes(own()).unwrap();
    assert_eq!(report.faults, []);
    let mut paths: Vec<_> = report.sections.iter().map(|s| s.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["inspect::lookup", "inspect::saxpy"]);
    let saxpy = report
        .sections
        .iter()
        .find(|s| s.path == "inspect::saxpy")
        .unwrap();
    assert_eq!(saxpy.bytes, "0f 1f 84 00 00 00 00 00");
    assert!(saxpy.decoded.starts_with("nop"));
    let access: Vec<_> = saxpy
        .params
        .iter()
        .map(|p| (&*p.name, &*p.ty, &*p.access))
        .collect();
    let wanted = [
        ("a", "f32", "value"),
        ("x", "f32", "read at the index"),
        ("y", "f32", "read and written at every index"),
    ];
    assert_eq!(access, wanted);
}

#[test]
fn the_command_prints_json_text_and_ir() {
    let exe = std::env::current_exe().unwrap();
    let json = hotsled(&["--json", "--check"], &exe);
    assert!(json.status.success());
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["sections"].as_array().unwrap().len(), 2);
    let ir = hotsled(&["--section", "saxpy", "--emit", "ir"], &exe);
    assert!(
        String::from_utf8(ir.stdout)
            .unwrap()
            .starts_with("section saxpy(")
    );
    let missing = hotsled(&["--section", "nowhere"], &exe);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_program_without_sections_says_so() {
    let output = hotsled(&[], Path::new(env!("CARGO_BIN_EXE_hotsled")));
    assert!(output.status.success());
    assert_eq!(output.stdout, b"no hotsled sections\n");
}

#[test]
fn check_names_a_damaged_sled_and_fails() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), damaged("hotsled_text_v1", 0, 0x40)).unwrap();
    let output = hotsled(&["--check"], file.path());
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let address = place_in_memory("hotsled_text_v1");
    let named = format!("the sled at {address:#x} holds [4f, 1f, 84, 00, 00, 00, 00, 00] (");
    assert!(text.contains(&named), "{text}");
    assert!(text.contains("), not the idle nop"), "{text}");
}

#[test]
fn every_field_of_a_row_is_checked() {
    let fault = |at, byte| {
        let report = inspect::bytes(&damaged("hotsled_sites_v1", at, byte)).unwrap();
        report.faults.into_iter().next().unwrap()
    };
    assert!(matches!(
        fault(0, 2),
        Fault::Version {
            row: 0,
            version: 3,
            ..
        }
    ));
    assert!(matches!(fault(4, 4), Fault::Misaligned { row: 0, .. }));
    assert!(matches!(
        fault(7, 0x40),
        Fault::OutOfRange {
            row: 0,
            what: "sled",
            ..
        }
    ));
    assert!(matches!(fault(8, 1), Fault::NoJump { row: 0, .. }));
    assert!(matches!(
        fault(11, 0x40),
        Fault::OutOfRange {
            row: 0,
            what: "body",
            ..
        }
    ));
    assert!(matches!(
        fault(15, 0x40),
        Fault::OutOfRange {
            row: 0,
            what: "record",
            ..
        }
    ));
    assert!(matches!(fault(16, 1), Fault::Record { row: 0, .. }));
    assert!(matches!(
        fault(20, 1),
        Fault::OutOfRange {
            row: 0,
            what: "cell",
            ..
        }
    ));
}

#[test]
fn a_row_given_twice_is_an_overlap() {
    let (at, len) = place("hotsled_sites_v1");
    assert_eq!(len, 48);
    let mut bytes = own().to_vec();
    bytes.copy_within(at..at + 24, at + 24);
    for field in [4, 8, 12, 20].map(|f| at + 24 + f) {
        let value = i32::from_le_bytes(bytes[field..field + 4].try_into().unwrap());
        bytes[field..field + 4].copy_from_slice(&(value - 24).to_le_bytes());
    }
    let faults = inspect::bytes(&bytes).unwrap().faults;
    assert!(
        matches!(faults[..], [Fault::Overlap { .. }, Fault::NoRow { .. }]),
        "{faults:?}"
    );
}

/// This program with another length of its site table.
fn with_table_len(len: u64) -> Vec<u8> {
    let elf = goblin::elf::Elf::parse(own()).unwrap();
    let named = |h: &goblin::elf::SectionHeader| {
        elf.shdr_strtab.get_at(h.sh_name) == Some("hotsled_sites_v1")
    };
    let number = elf.section_headers.iter().position(named).unwrap();
    let field = elf.header.e_shoff as usize + number * 64 + 32;
    let mut bytes = own().to_vec();
    bytes[field..field + 8].copy_from_slice(&len.to_le_bytes());
    bytes
}

#[test]
fn a_table_cut_within_a_row_or_by_a_whole_one_is_noticed() {
    let faults = |len| inspect::bytes(&with_table_len(len)).unwrap().faults;
    let cut = faults(40);
    assert!(
        matches!(
            cut[..],
            [
                Fault::Truncated {
                    row: 1,
                    have: 16,
                    ..
                },
                Fault::NoRow { .. }
            ]
        ),
        "{cut:?}"
    );
    let address = place_in_memory("hotsled_sites_v1") + 24;
    let named = format!("row 1 at {address:#x}: 16 bytes are left of a row's 24");
    assert_eq!(cut[0].to_string(), named);
    let shorter = faults(24);
    assert!(matches!(shorter[..], [Fault::NoRow { .. }]), "{shorter:?}");
    let outside = inspect::bytes(&with_table_len(1 << 40));
    assert!(matches!(outside, Err(FileError::TableOutside { .. })));
}

#[test]
fn every_faulty_row_is_named_not_only_the_first() {
    let mut bytes = damaged("hotsled_sites_v1", 4, 4);
    bytes[place("hotsled_sites_v1").0 + 24] ^= 2;
    let faults = inspect::bytes(&bytes).unwrap().faults;
    let rows = faults.iter().filter_map(|fault| match fault {
        Fault::Misaligned { row, .. } | Fault::Version { row, .. } => Some(*row),
        _ => None,
    });
    assert_eq!(rows.collect::<Vec<_>>(), [0, 1], "{faults:?}");
}

#[test]
fn other_files_are_refused_by_name() {
    assert!(matches!(
        inspect::bytes(b"#!/bin/sh\n"),
        Err(FileError::Elf(_))
    ));
    assert!(matches!(
        inspect::bytes(&own()[..40]),
        Err(FileError::Elf(_))
    ));
    let mut arm = own().to_vec();
    arm[18..20].copy_from_slice(&183u16.to_le_bytes());
    assert!(matches!(inspect::bytes(&arm), Err(FileError::Foreign(_))));
}

/// Places worth damaging: headers, table, records, section headers.
fn targets() -> Vec<(usize, usize)> {
    let headers = own().len() - 64 * 40..own().len();
    let mut all = vec![(0, 1024), (headers.start, headers.len())];
    all.extend(["hotsled_sites_v1", "hotsled_records_v1", "hotsled_text_v1"].map(place));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_damage_makes_it_panic(
        edits in prop::collection::vec((0usize..5, any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = own().to_vec();
        let targets = targets();
        for (target, at, byte) in edits {
            let (start, len) = targets[target];
            bytes[start + at.index(len)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(report) = inspect::bytes(&bytes) {
            prop_assert!(report.sections.iter().all(|s| s.bytes == "0f 1f 84 00 00 00 00 00"));
        }
    }
}
