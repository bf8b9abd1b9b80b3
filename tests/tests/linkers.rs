//! A program and a plugin, linked by every linker that the project names, keep their note, table and
//! entries, and work. The optional script does what it says with those that know it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use goblin::elf::{Elf, SectionHeader};
use hotsled_abi::{ENTRY_STRIDE, NOTE_SECTION, SITE_ROW_LEN, SITES_SECTION, TEXT_SECTION};

const PAGE: u64 = 4096;

/// Links one of the fixtures in a way of its own; cargo has built everything else.
fn cargo_rustc(example: &str, link_args: &[String]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args([
        "rustc",
        "-q",
        "-p",
        "hotsled-tests",
        "--example",
        example,
        "--",
    ]);
    for arg in link_args {
        cargo.arg("-C").arg(format!("link-arg={arg}"));
    }
    cargo.output().unwrap()
}

fn link(example: &str, file: &str, link_args: &[String], to: &Path) {
    let output = cargo_rustc(example, link_args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{link_args:?}: {said}");
    let exe = std::env::current_exe().unwrap();
    let built = exe.ancestors().nth(2).unwrap().join("examples").join(file);
    std::fs::copy(built, to).unwrap();
}

fn script() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = root
        .join("linker-scripts/hotsled.ld")
        .canonicalize()
        .unwrap();
    format!("-Wl,-T,{}", script.display())
}

fn section<'a>(elf: &'a Elf<'_>, name: &str) -> Option<&'a SectionHeader> {
    let named = |h: &&SectionHeader| elf.shdr_strtab.get_at(h.sh_name) == Some(name);
    elf.section_headers.iter().find(named)
}

fn check_layout(path: &Path, isolated: bool) {
    let bytes = std::fs::read(path).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let size = |name| {
        section(&elf, name)
            .unwrap_or_else(|| panic!("{path:?}: no {name}"))
            .sh_size
    };
    let rows = size(SITES_SECTION) / SITE_ROW_LEN as u64;
    assert!(size(NOTE_SECTION) == 36 && rows > 0 && size(SITES_SECTION) % SITE_ROW_LEN as u64 == 0);
    let text = section(&elf, TEXT_SECTION).unwrap();
    let pages = |from: u64, to: u64| from / PAGE..to.div_ceil(PAGE);
    let of_text = pages(text.sh_addr, text.sh_addr + text.sh_size);
    let code = elf
        .section_headers
        .iter()
        .filter(|h| h.is_executable() && h.sh_addr != text.sh_addr);
    let shared = code
        .map(|h| pages(h.sh_addr, h.sh_addr + h.sh_size))
        .any(|p| p.start < of_text.end && of_text.start < p.end);
    if isolated {
        assert!(!shared, "{path:?}: sleds share a page with other code");
    } else {
        assert_eq!(text.sh_size, rows * ENTRY_STRIDE as u64);
    }
    let report = hotsled_cli::inspect::bytes(&bytes).unwrap();
    assert_eq!(
        (report.sections.len() as u64, report.faults),
        (rows, vec![])
    );
}

/// Links both fixtures, checks them, and lets the program load the plugin.
fn run(name: &str, link_args: &[String], isolated: bool) {
    let directory = tempfile::tempdir().unwrap();
    let at = |file: &str| -> PathBuf { directory.path().join(file) };
    link(
        "linked-program",
        "linked-program",
        link_args,
        &at("program"),
    );
    link(
        "linked-plugin",
        "liblinked_plugin.so",
        link_args,
        &at("plugin.so"),
    );
    check_layout(&at("program"), isolated);
    check_layout(&at("plugin.so"), isolated);
    let device = env!("CARGO_BIN_EXE_hotsled-test-device");
    let output = Command::new(at("program"))
        .arg(device)
        .arg(at("plugin.so"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "linked by {name}: {said}");
}

/// An object file whose one row is no row.
fn stray(directory: &Path) -> String {
    let source = directory.join("stray.s");
    std::fs::write(
        &source,
        ".section hotsled_sites_v1,\"aR\",@progbits\n.long 1\n",
    )
    .unwrap();
    let object = directory.join("stray.o");
    let done = Command::new("cc")
        .arg("-c")
        .arg(&source)
        .arg("-o")
        .arg(&object)
        .status();
    assert!(done.unwrap().success());
    object.display().to_string()
}

#[test]
fn every_linker_keeps_what_the_engine_needs() {
    run("the default", &[], false);
    for linker in ["bfd", "gold", "lld", "mold"] {
        run(linker, &[format!("-fuse-ld={linker}")], false);
    }
    let directory = tempfile::tempdir().unwrap();
    for linker in ["bfd", "lld"] {
        let args = [format!("-fuse-ld={linker}"), script()];
        run(linker, &args, true);
        let with_stray = [args.as_slice(), &[stray(directory.path())]].concat();
        let output = cargo_rustc("linked-program", &with_stray);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success(),
            "{linker} took a table that is no table"
        );
        assert!(said.contains("no whole number of site rows"), "{said}");
    }
}
