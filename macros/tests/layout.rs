//! The bytes that a section leaves in the program.

use hotsled::parallel;
use hotsled_abi::{
    ENTRY_STRIDE, NOP8, RECORDS_SECTION, RecordView, SITE_ROW_LEN, SITES_SECTION, SiteRow,
    TEXT_SECTION,
};
use object::{Object, ObjectSection};

/// Two sections, so that the table has a second row.
#[hotsled::section]
fn twice(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = x[i] * 2.0;
    }
}

#[hotsled::section]
fn count(y: &mut [u32]) {
    for i in parallel(0..y.len()) {
        y[i] += i as u32;
    }
}

/// Runs both, so that the linker keeps them.
fn with_program(look: impl FnOnce(&object::File<'_>)) {
    let (mut y, mut n) = ([0.0; 3], [1; 3]);
    twice(&[1.0, 2.0, 3.0], &mut y);
    count(&mut n);
    assert_eq!((y, n), ([2.0, 4.0, 6.0], [1, 2, 3]));
    let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    look(&object::File::parse(&*bytes).unwrap());
}

fn section<'d>(file: &object::File<'d>, name: &str) -> (u64, &'d [u8]) {
    let section = file.section_by_name(name).expect(name);
    (section.address(), section.data().unwrap())
}

#[test]
fn an_entry_is_a_sled_a_jump_and_padding() {
    with_program(|file| {
        let (address, text) = section(file, TEXT_SECTION);
        assert_eq!((address % 16, text.len()), (0, 2 * ENTRY_STRIDE));
        for entry in text.chunks(ENTRY_STRIDE) {
            assert_eq!(entry[..8], NOP8);
            let padding = match entry[8] {
                0xe9 => 13,
                0xeb => 10,
                other => panic!("{other:#x} is no jump"),
            };
            assert!(
                entry[padding..].iter().all(|byte| *byte == 0xcc),
                "{entry:x?}"
            );
        }
    });
}

#[test]
fn rows_name_every_entry_and_its_record() {
    with_program(|file| {
        let (address, rows) = section(file, SITES_SECTION);
        let (text, _) = section(file, TEXT_SECTION);
        let (records, bytes) = section(file, RECORDS_SECTION);
        let mut seen: Vec<_> = rows
            .chunks(SITE_ROW_LEN)
            .zip((address..).step_by(SITE_ROW_LEN))
            .map(|(row, at)| {
                let row = SiteRow::from_bytes(row.try_into().expect("whole rows"));
                let first = (row.record_at(at) - records) as usize;
                let record = &bytes[first..first + row.record_len as usize];
                let view = RecordView::parse(record).expect("a record");
                hotsled_ir::read(view.module).expect("a valid module");
                (row.sled_at(at).get() - text, view.path)
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [0, 16]);
        let mut paths: Vec<_> = seen.iter().map(|s| s.1).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["layout::count", "layout::twice"]);
    });
}

#[test]
fn nothing_of_it_is_relocated_at_start() {
    with_program(|file| {
        let ranges = [TEXT_SECTION, SITES_SECTION, RECORDS_SECTION].map(|name| {
            let (address, bytes) = section(file, name);
            address..address + bytes.len() as u64
        });
        let all: Vec<u64> = file
            .dynamic_relocations()
            .expect("a position-independent program")
            .map(|(at, _)| at)
            .collect();
        assert!(!all.is_empty(), "the program has relocations of its own");
        let ours = all.iter().find(|at| ranges.iter().any(|r| r.contains(at)));
        assert_eq!(ours, None);
    });
}
