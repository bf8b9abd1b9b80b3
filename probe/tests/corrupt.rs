//! Damaged tables, wrong numbers and exchanged files: each is refused by name, and nothing is written.

mod common;

use std::path::Path;

use common::{CLANG, GCC, Object, Workshop, adopt, probes, reasons};
use hotsled_probe::{Fuse, ImageError, Layout, Module, ModuleError, Probes, Reason};

const SOURCE: &str = "
    __attribute__((noinline)) int one(int x) { return x + 1; }
    __attribute__((noinline)) int two(int x) { return one(x) * 2; }
    __attribute__((noinline)) int three(int x) { return two(x) - 5; }
";

const FLAGS: &str = "-O2 -fpatchable-function-entry=16";

/// Code bytes of the three functions; nothing may change them.
fn code(object: Object) -> Vec<u8> {
    let start = object.address("one");
    // SAFETY: the functions lie in one readable segment, first to last in this order.
    unsafe { std::slice::from_raw_parts(start as *const u8, 96) }.to_vec()
}

/// `SOURCE` and more rows in its table, each an expression. The assembler wants `one` to be known
/// before, so the rows stand in the last function; they add no code to it.
fn with_rows(rows: &[&str]) -> String {
    let begin = r#".pushsection __patchable_function_entries,\"awo\",@progbits,one\n"#;
    let rows: String = rows.iter().map(|r| format!(".quad {r}\\n")).collect();
    let text = format!(
        "{{ asm volatile(\"{begin}{rows}.popsection\"); return two(x) - 5; }} int data = 7;"
    );
    SOURCE.replace("{ return two(x) - 5; }", &text)
}

fn refused(probes: &Probes, object: Object, numbers: (u16, u16)) -> Vec<(String, String)> {
    let before = code(object);
    let adoption = adopt(probes, &object.module("one"), numbers, Fuse::AtLoad);
    assert_eq!(code(object), before);
    assert_eq!(object.function("three")(4), 5);
    reasons(&adoption)
}

fn has(refused: &[(String, String)], name: &str, reason: &str) {
    let found = refused.iter().any(|r| r.0 == name && r.1.contains(reason));
    assert!(found, "no {name:?} with {reason:?} in {refused:?}");
}

fn damaged_rows_are_refused_one_by_one(shop: &Workshop, probes: &Probes) {
    let rows = with_rows(&["data", "one+3", "two", "0", "three+16"]);
    let object = shop.object(CLANG, FLAGS, "rows", &rows);
    let refused = refused(probes, object, (16, 0));
    has(&refused, "", "out of the module's code"); // `data`
    has(&refused, "one", "is no nop"); // the middle of the nop: its rest, one more, then code
    has(&refused, "two", "more than one row");
    has(&refused, "three", "is no nop"); // the body
    assert_eq!(refused.len(), 5, "{refused:?}");
    let kept = ["one", "two", "three"].map(|n| probes.at(object.address(n)).is_some());
    assert_eq!(kept, [true, false, true]);
}

/// With a smaller number than the compiler's, what is left of a sled behind a row in its middle passes
/// for a sled; the symbols tell, and in a stripped file the other row.
fn rows_into_a_sled_are_refused(shop: &Workshop, probes: &Probes) {
    let rows = with_rows(&["one+3"]);
    let flags = "-O2 -fpatchable-function-entry=16";
    let object = shop.object(GCC, flags, "inside", &rows);
    has(
        &refused(probes, object, (12, 0)),
        "one",
        "leads 3 bytes into the function",
    );
    let path = shop.build(
        GCC,
        flags,
        "blind",
        &rows.replace("int one(", "static int one("),
    );
    strip(&path);
    let adoption = adopt(
        probes,
        &Object::load(&path).module("three"),
        (12, 0),
        Fuse::Refuse,
    );
    let overlap = |r: &&hotsled_probe::Refusal| matches!(r.reason, Reason::Overlap(_));
    assert_eq!(adoption.refused.iter().filter(overlap).count(), 2);
}

fn strip(path: &Path) {
    assert!(
        std::process::Command::new("strip")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

fn wrong_numbers_are_refused(shop: &Workshop, probes: &Probes) {
    let path = shop.build(GCC, "-O2 -fpatchable-function-entry=16,8", "before", SOURCE);
    let object = Object::load(&path);
    has(
        &refused(probes, object, (16, 0)),
        "",
        "no function starts there",
    );
    has(
        &refused(probes, object, (7, 0)),
        "",
        "no function starts there",
    );
    has(&refused(probes, object, (40, 8)), "one", "is no nop");
    let object = shop.object(GCC, FLAGS, "plain", SOURCE);
    has(
        &refused(probes, object, (16, 8)),
        "one",
        "leads 8 bytes into the function",
    );
    let path = shop.build(CLANG, "-O2 -fpatchable-function-entry=16,8", "bare", SOURCE);
    strip(&path);
    let object = Object::load(&path);
    has(&refused(probes, object, (8, 0)), "", "among its nops");
    has(&refused(probes, object, (16, 0)), "", "among its nops");
}

fn open(object: Object) -> ImageError {
    match Module::containing(object.address("one")) {
        Err(ModuleError::Image { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

fn exchanged_and_unfit_files_are_refused(shop: &Workshop) {
    for (id, what) in [
        ("-Wl,--build-id", "build-ids"),
        ("-Wl,--build-id=none", "code bytes"),
    ] {
        let flags = format!("{FLAGS} {id}");
        let name = format!("exchanged{}", id.len());
        let path = shop.build(CLANG, &flags, &name, SOURCE);
        let object = Object::load(&path);
        object.module("one");
        let other = shop.build(CLANG, &flags, "other", &SOURCE.replace("x + 1", "x + 9"));
        std::fs::rename(other, &path).unwrap();
        assert_eq!(open(object), ImageError::Differs { what });
        std::fs::remove_file(&path).unwrap();
        let gone = Module::containing(object.address("one"));
        assert!(matches!(gone, Err(ModuleError::File { .. })));
    }
    let none = shop.object(GCC, "-O2", "none", SOURCE);
    assert_eq!(open(none), ImageError::NoTable);
    let path = shop.build(GCC, FLAGS, "headless", SOURCE);
    without_section_headers(&path);
    assert_eq!(open(Object::load(&path)), ImageError::NoSections);
    assert!(matches!(
        Module::containing(8),
        Err(ModuleError::NotLoaded { address: 8 })
    ));
    assert!(Layout::new(16, 16).is_err());
}

fn without_section_headers(path: &Path) {
    let mut file = std::fs::read(path).unwrap();
    file[0x28..0x30].fill(0); // e_shoff
    file[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
    std::fs::write(path, file).unwrap();
}

fn stripped_files_keep_their_table(shop: &Workshop, probes: &Probes) {
    let path = shop.build(CLANG, FLAGS, "stripped", SOURCE);
    assert!(
        std::process::Command::new("strip")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let object = Object::load(&path);
    let adoption = adopt(probes, &object.module("one"), (16, 0), Fuse::Refuse);
    assert_eq!((adoption.functions.len(), reasons(&adoption)), (3, vec![]));
}

#[test]
fn what_is_damaged_is_refused_and_left_as_it_is() {
    let shop = Workshop::new();
    let probes = probes();
    damaged_rows_are_refused_one_by_one(&shop, &probes);
    rows_into_a_sled_are_refused(&shop, &probes);
    wrong_numbers_are_refused(&shop, &probes);
    exchanged_and_unfit_files_are_refused(&shop);
    stripped_files_keep_their_table(&shop, &probes);
}
