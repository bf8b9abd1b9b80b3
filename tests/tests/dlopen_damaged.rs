//! Plugins whose notes or tables are damaged, or whose copy is of another version: each stays on the
//! CPU by itself, is named with what is wrong, and disturbs nobody.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use goblin::elf::Elf;
use hotsled::{Engine, Error, ObjectFault, PlugOptions};
use hotsled_abi::{NOTE_SECTION, SITES_SECTION};
use hotsled_tests::plugin::{self, Plugin};
use hotsled_tests::{numbers, stirred};

/// A copy of the plugin in which one word of a section is changed.
fn damaged(directory: &Path, section: &str, at: u64, change: impl Fn(u32) -> u32) -> PathBuf {
    let path = plugin::copy(
        directory,
        &format!("{}-{at}.so", section.trim_start_matches('.')),
    );
    let mut bytes = std::fs::read(&path).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let named =
        |h: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(h.sh_name) == Some(section);
    let header = elf.section_headers.iter().find(named).unwrap();
    let at = (header.sh_offset + at) as usize;
    let word = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    bytes[at..at + 4].copy_from_slice(&change(word).to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Loads, finds the fault, calls all the same, unloads: a call this short makes no threads in the
/// plugin, which would keep it loaded.
fn refused(engine: &Engine, path: &Path) -> Arc<ObjectFault> {
    let x = numbers(2_000);
    let loaded = Plugin::load(path);
    let Err(Error::Object { object, source }) = engine.rescan() else {
        panic!("{} was taken", path.display())
    };
    assert_eq!(Path::new(&object), path);
    assert!(
        loaded.twist(9, &x) == stirred(9, &x),
        "on the CPU, and right"
    );
    let status = engine.status();
    assert!(!status.sections.iter().any(|s| s.path.ends_with("::twist")));
    assert!(status.objects.iter().any(|o| o.fault.is_some()));
    assert!(status.to_string().contains("stays on the CPU"));
    drop(loaded);
    assert!(!plugin::is_mapped(path));
    source
}

#[test]
fn a_damaged_plugin_stays_on_the_cpu_alone() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    engine.plug(PlugOptions::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let make = |section, at, change: fn(u32) -> u32| {
        refused(&engine, &damaged(directory.path(), section, at, change))
    };
    // The note's words: version, start and stop of the table, module.
    let fault = make(NOTE_SECTION, 20, |_| 99);
    assert!(
        matches!(*fault, ObjectFault::Contract { version: 99 }),
        "{fault}"
    );
    let fault = make(NOTE_SECTION, 4, |_| 12);
    assert!(matches!(*fault, ObjectFault::Note(_)), "{fault}");
    let fault = make(NOTE_SECTION, 24, |start| start + 0x4000_0000);
    assert!(
        matches!(
            *fault,
            ObjectFault::Bounds {
                what: "site table",
                ..
            }
        ),
        "{fault}"
    );
    let fault = make(NOTE_SECTION, 28, |stop| stop + 4);
    assert!(matches!(*fault, ObjectFault::Table(_)), "{fault}");
    let fault = make(NOTE_SECTION, 32, |module| module + 0x4000_0000);
    assert!(
        matches!(*fault, ObjectFault::Bounds { what: "module", .. }),
        "{fault}"
    );
    // The second row's words: version, sled, body.
    let fault = make(SITES_SECTION, 24, |_| 7);
    assert!(fault.to_string().contains("row 1"), "{fault}");
    let fault = make(SITES_SECTION, 28, |sled| sled + 8);
    assert!(fault.to_string().contains("row 1: sled 0x"), "{fault}");
    let fault = make(SITES_SECTION, 44, |_| 0x7000_0000);
    assert!(fault.to_string().contains("row 1: cell 0x"), "{fault}");

    let good = Plugin::load(&plugin::copy(directory.path(), "good.so"));
    engine.rescan().unwrap();
    let x = numbers(20_000);
    assert!(good.twist(9, &x) == stirred(9, &x));
    assert!(
        engine
            .status()
            .sections
            .iter()
            .any(|s| s.path.ends_with("::twist"))
    );
}
