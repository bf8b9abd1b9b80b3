//! Every input in `fuzz/corpus` through its fuzz target, on stable Rust.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hotsled_abi::{ENTRY_STRIDE, NOP8, RECORDS_SECTION, SITE_ROW_LEN, SITE_VERSION, SITES_SECTION};
use hotsled_link::{DeviceInfo, Message, ModuleId, PROTOCOL_VERSION};

fn corpus(target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    root.join(target)
}

#[test]
fn no_input_of_a_corpus_panics_or_is_accepted_wrongly() {
    for (name, target) in targets::TARGETS {
        let files: Vec<_> = fs::read_dir(corpus(name)).unwrap().collect();
        assert!(!files.is_empty(), "the corpus of {name} is empty");
        for file in files {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            println!("{}", path.display());
            target(&bytes);
        }
    }
}

#[test]
fn the_corpora_hold_something_that_is_accepted() {
    let one = |target, name| fs::read(corpus(target).join(name)).unwrap();
    let report = hotsled_cli::inspect::bytes(&one("elf", "object")).unwrap();
    assert_eq!(
        (report.sections.len(), report.faults.len()),
        (1, 0),
        "{report:?}"
    );
    let record = one("virtual_isa", "saxpy");
    let view = hotsled_abi::RecordView::parse(&record).unwrap();
    let module = hotsled_ir::read(view.module);
    assert!(
        module.is_ok(),
        "make the corpora anew, see below: {module:?}"
    );
    assert!(Message::decode(&one("link_message", "hello")).is_ok());
}

/// Makes the corpora anew, from this program and by `cc`: `cargo test -p hotsled-tests --test corpora -- --ignored`.
#[test]
#[ignore = "writes fuzz/corpus"]
fn make_corpora() {
    hotsled_tests::saxpy(1.0, &[], &mut []);
    hotsled_tests::stir(1, &[], &mut []);
    for (name, record) in records() {
        put("virtual_isa", &name, &record);
    }
    put(
        "site_table",
        "three",
        &[row(0, 0), row(1, 1), row(2, 2)].concat(),
    );
    put("site_table", "twice", &[row(0, 0), row(1, 0)].concat());
    put("site_table", "cut", &row(0, 0)[..20]);
    messages()
        .iter()
        .for_each(|(name, message)| put("link_message", name, &message.encode()));
    for (name, bytes) in SLEDS {
        put("sled", name, bytes);
    }
    let mut object = object();
    put("elf", "object", &object);
    let sled = object.windows(8).position(|bytes| bytes == NOP8);
    object[sled.unwrap() + 2] ^= 1;
    put("elf", "damaged", &object);
}

/// What compilers emit, behind the place; and what only looks like it.
const SLEDS: [(&str, &[u8]); 4] = [
    (
        "clang",
        b"\0\x66\x66\x66\x66\x66\x66\x2e\x0f\x1f\x84\0\0\x02\0\0\x90",
    ),
    (
        "gcc",
        b"\x04\xf3\x0f\x1e\xfa\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90",
    ),
    ("pause", b"\0\xf3\x90\x90\x90\x90\x90\x90\x90"),
    ("exchange", b"\0\x41\x90\x90\x90\x90\x90\x90\x90"),
];

fn put(target: &str, name: &str, bytes: &[u8]) {
    fs::create_dir_all(corpus(target)).unwrap();
    fs::write(corpus(target).join(name), bytes).unwrap();
}

/// The records of this program, by the last part of their paths.
fn records() -> Vec<(String, Vec<u8>)> {
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let elf = goblin::elf::Elf::parse(&program).unwrap();
    let named = |h: &&goblin::elf::SectionHeader| {
        elf.shdr_strtab.get_at(h.sh_name) == Some(RECORDS_SECTION)
    };
    let header = elf.section_headers.iter().find(named).unwrap();
    let mut rest = &program[header.file_range().unwrap()];
    let mut found = Vec::new();
    while let Some(head) = rest.first_chunk::<12>() {
        let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let view = hotsled_abi::RecordView::parse(&rest[..len]).unwrap();
        let name = view.path.rsplit("::").next().unwrap();
        found.push((name.to_owned(), rest[..len].to_vec()));
        rest = rest
            .get(len.next_multiple_of(hotsled_abi::RECORD_ALIGN)..)
            .unwrap_or_default();
    }
    found
}

/// Row `n`, good for the target's memory, of entry `entry`.
fn row(n: u32, entry: u32) -> Vec<u8> {
    let at = targets::TABLE as u32 + n * SITE_ROW_LEN as u32;
    let to = |field: u32, address: u32| address.wrapping_sub(at + field);
    let sled = 0x10_0000 + entry * ENTRY_STRIDE as u32;
    let words = [
        SITE_VERSION,
        to(4, sled),
        to(8, 0x10_8000),
        to(12, 0x20_8000),
        64,
        to(20, 0x30_0000 + 8 * n),
    ];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn messages() -> Vec<(&'static str, Message)> {
    let info = DeviceInfo {
        name: "left".to_owned(),
        kind: "simulated".to_owned(),
        bounded: false,
        simulated: true,
        memory: 1 << 30,
        bandwidth: 8 << 30,
        latency_ns: 2000,
    };
    vec![
        ("hello", Message::Hello(PROTOCOL_VERSION, info)),
        ("welcome", Message::Welcome(PROTOCOL_VERSION, 1 << 26)),
        ("lower", Message::Lower(3, vec![1, 2, 3])),
        ("lowered", Message::Lowered(3, ModuleId(7), 950)),
        ("refused", Message::Refused(3, "no f64".to_owned())),
        ("leave", Message::Leave),
    ]
}

/// A small shared object with one section, as a linker makes it.
fn object() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (_, record) = records()
        .into_iter()
        .find(|(name, _)| name == "saxpy")
        .unwrap();
    fs::write(at("record"), &record).unwrap();
    let source = format!(
        ".section .note.GNU-stack, \"\", @progbits\n\
         .section hotsled_text_v1, \"ax\", @progbits\n.balign 16\n\
         sled: .byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n.byte 0xe9\n.long body - . - 4\n.balign 16, 0xcc\n\
         .text\nbody: ret\n\
         .section {RECORDS_SECTION}, \"a\", @progbits\n.balign 8\nrecord: .incbin \"record\"\n\
         .data\n.balign 8\ncell: .quad 0\n\
         .section {SITES_SECTION}, \"a\", @progbits\n\
         .long {SITE_VERSION}, sled - ., body - ., record - ., {}, cell - .\n",
        record.len()
    );
    fs::write(at("object.s"), source).unwrap();
    let small = "-Wl,-z,noseparate-code,-z,max-page-size=0x1000,--build-id=none,-s";
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-nostdlib", small, "-o", "object", "object.s"]);
    assert!(cc.current_dir(folder.path()).status().unwrap().success());
    fs::read(at("object")).unwrap()
}
