//! The file of a loaded module, and the proof that it is the one in memory.

use goblin::elf::program_header::{PF_X, PT_LOAD, PT_NOTE};
use goblin::elf::{Elf, ProgramHeader};
use hotsled_sys::modules::Module;

/// Section with one address for each sled.
pub(crate) const TABLE: &str = "__patchable_function_entries";

/// Bytes of this process; what is not mapped is an error.
pub(crate) trait Memory {
    fn read(&self, address: u64, bytes: &mut [u8]) -> std::io::Result<()>;

    /// As `read`, into new memory; so `len` must be no more than is there.
    fn get(&self, address: u64, len: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }
}

impl Memory for hotsled_sys::procmem::ProcMem {
    fn read(&self, address: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.read(address, bytes)
    }
}

/// Why a file says nothing about a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No ELF file, or a damaged one.
    #[error("it does not parse: {0}")]
    Elf(String),
    /// `strip --strip-section-headers` and the like.
    #[error("it has no section headers, and only they say where the table lies")]
    NoSections,
    /// Nothing in it was built with the flag.
    #[error("it has no section {TABLE}; build with -fpatchable-function-entry=16")]
    NoTable,
    /// The table's place makes no sense.
    #[error(
        "its table at {address:#x} has {len} bytes, which is no whole number of rows in memory"
    )]
    Table {
        /// Address in the file.
        address: u64,
        /// Bytes.
        len: u64,
    },
    /// It was replaced since it was loaded.
    #[error("it is not what is loaded: {what} differ; start the program again with this file")]
    Differs {
        /// What was compared.
        what: &'static str,
    },
    /// Memory that should be there cannot be read.
    #[error("cannot read the loaded module at {address:#x}")]
    Memory {
        /// The address.
        address: u64,
    },
}

/// A function's place in the file's symbol table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// Address in the file.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Name.
    pub name: String,
}

type Bytes = Result<Vec<u8>, ImageError>;

/// What a file says.
pub(crate) struct Image<'a> {
    bytes: &'a [u8],
    elf: Elf<'a>,
}

impl<'a> Image<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let elf = Elf::parse(bytes).map_err(|e| ImageError::Elf(e.to_string()))?;
        Ok(Self { bytes, elf })
    }

    /// Checks that this file is the module that is loaded: the same segments, and the same build-id or,
    /// where either has none, the same code to the last byte.
    pub fn check_loaded(&self, module: &Module, memory: &impl Memory) -> Result<(), ImageError> {
        let here = self
            .elf
            .program_headers
            .iter()
            .map(|h| extent(h, module.base));
        let there = module.segments.iter().map(|s| (s.kind, s.start, s.len));
        if !here.eq(there) {
            return Err(ImageError::Differs { what: "segments" });
        }
        let in_file = self.notes(|h| self.slice(h).map(<[u8]>::to_vec))?;
        let in_memory = self.notes(|h| loaded(h, module.base, memory))?;
        match (build_id(&in_file), build_id(&in_memory)) {
            (Some(a), Some(b)) if a == b => Ok(()),
            (Some(_), Some(_)) => Err(ImageError::Differs { what: "build-ids" }),
            _ => self.check_code(module.base, memory),
        }
    }

    fn check_code(&self, base: u64, memory: &impl Memory) -> Result<(), ImageError> {
        let code = |h: &&ProgramHeader| h.p_type == PT_LOAD && h.p_flags & PF_X != 0;
        for header in self.elf.program_headers.iter().filter(code) {
            let here = self.slice(header)?;
            if loaded(header, base, memory)? != here {
                return Err(ImageError::Differs { what: "code bytes" });
            }
        }
        Ok(())
    }

    /// The notes of every PT_NOTE, read by `read`.
    fn notes(&self, read: impl Fn(&ProgramHeader) -> Bytes) -> Result<Vec<Vec<u8>>, ImageError> {
        let headers = self.elf.program_headers.iter();
        headers.filter(|h| h.p_type == PT_NOTE).map(read).collect()
    }

    fn slice(&self, header: &ProgramHeader) -> Result<&'a [u8], ImageError> {
        let (start, len) = (header.p_offset as usize, header.p_filesz as usize);
        let end = start.checked_add(len);
        let bytes = end.and_then(|end| self.bytes.get(start..end));
        bytes.ok_or_else(|| ImageError::Elf("a segment lies outside the file".into()))
    }

    /// Addresses in the file and lengths of the tables.
    pub fn tables(&self) -> Result<Vec<(u64, usize)>, ImageError> {
        if self.elf.section_headers.is_empty() {
            return Err(ImageError::NoSections);
        }
        let mut tables = Vec::new();
        for header in &self.elf.section_headers {
            if self.elf.shdr_strtab.get_at(header.sh_name) == Some(TABLE) {
                tables.push(self.table(header.sh_addr, header.sh_size)?);
            }
        }
        if tables.is_empty() {
            return Err(ImageError::NoTable);
        }
        Ok(tables)
    }

    fn table(&self, address: u64, len: u64) -> Result<(u64, usize), ImageError> {
        let holds = |h: &ProgramHeader| {
            let offset = address.checked_sub(h.p_vaddr);
            h.p_type == PT_LOAD
                && offset.is_some_and(|o| o.checked_add(len).is_some_and(|end| end <= h.p_memsz))
        };
        if len.is_multiple_of(8) && self.elf.program_headers.iter().any(holds) {
            Ok((address, len as usize))
        } else {
            Err(ImageError::Table { address, len })
        }
    }

    /// Functions by ascending address, and whether they are all: a stripped file knows its dynamic
    /// symbols only.
    pub fn functions(&self) -> (Vec<Symbol>, bool) {
        let full = symbols(&self.elf.syms, &self.elf.strtab);
        let all = !full.is_empty();
        let mut functions = if all {
            full
        } else {
            symbols(&self.elf.dynsyms, &self.elf.dynstrtab)
        };
        functions.sort_by_key(|s| s.start);
        (functions, all)
    }
}

fn symbols(table: &goblin::elf::Symtab<'_>, names: &goblin::strtab::Strtab<'_>) -> Vec<Symbol> {
    let functions = table.iter().filter(|s| s.is_function() && s.st_shndx != 0);
    let symbol = |s: goblin::elf::Sym| Symbol {
        start: s.st_value,
        len: s.st_size,
        name: names.get_at(s.st_name).unwrap_or_default().to_owned(),
    };
    functions.map(symbol).collect()
}

/// Kind, address and length of a segment once it is loaded.
fn extent(header: &ProgramHeader, base: u64) -> (u32, u64, u64) {
    let start = base.wrapping_add(header.p_vaddr);
    (header.p_type, start, header.p_memsz)
}

/// A segment's bytes as they are in memory, no more than the module has there.
fn loaded(header: &ProgramHeader, base: u64, memory: &impl Memory) -> Bytes {
    let (_, address, len) = extent(header, base);
    let bytes = memory.get(address, header.p_filesz.min(len) as usize);
    bytes.map_err(|_| ImageError::Memory { address })
}

/// The description of the first note of the linker's (`GNU`, type 3).
fn build_id(segments: &[Vec<u8>]) -> Option<&[u8]> {
    segments
        .iter()
        .find_map(|bytes| hotsled_abi::build_id(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotsled_sys::modules::Segment;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// A process that has this file's bytes at address zero.
    struct Flat(Vec<u8>);

    impl Memory for Flat {
        fn read(&self, address: u64, bytes: &mut [u8]) -> std::io::Result<()> {
            let at = address as usize;
            let end = at.checked_add(bytes.len());
            let found = end.and_then(|end| self.0.get(at..end));
            let found = found.ok_or_else(|| std::io::Error::other("unmapped"))?;
            bytes.copy_from_slice(found);
            Ok(())
        }
    }

    /// A module with just the segments that the image asks for.
    fn as_loaded(image: &Image<'_>) -> Module {
        let mut module = hotsled_sys::modules::loaded().remove(0);
        module.base = 0;
        let segment = |h: &ProgramHeader| {
            let (kind, start, len) = extent(h, 0);
            Segment {
                kind,
                start,
                len,
                read: true,
                write: false,
                execute: true,
            }
        };
        module.segments = image.elf.program_headers.iter().map(segment).collect();
        module
    }

    fn note_of(kind: u32, name: &[u8], description: &[u8]) -> Vec<u8> {
        let lens = [name.len() as u32, description.len() as u32, kind];
        let mut note = lens.map(u32::to_le_bytes).concat();
        for part in [name, description] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn a_build_id_is_found_behind_other_notes() {
        let notes = [
            note_of(1, b"GNU\0", &[1; 16]),
            note_of(3, b"GNU\0", &[7; 20]),
        ]
        .concat();
        assert_eq!(build_id(&[vec![], notes]), Some([7; 20].as_slice()));
        assert_eq!(build_id(&[note_of(3, b"Go\0\0", &[7; 20])]), None);
    }

    #[test]
    fn a_note_that_ends_early_is_none() {
        let whole = note_of(3, b"GNU\0", &[7; 20]);
        (0..whole.len()).for_each(|cut| assert_eq!(build_id(&[whole[..cut].to_vec()]), None));
        assert_eq!(build_id(&[[0xff; 64].to_vec()]), None);
    }

    /// A small shared object with a table, built once.
    static OBJECT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, object) = (folder.path().join("a.c"), folder.path().join("a.so"));
        std::fs::write(&source, "int one(void) { return 1; }").unwrap();
        let mut gcc = std::process::Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-fpatchable-function-entry=16", "-o"]);
        assert!(gcc.args([&object, &source]).status().unwrap().success());
        std::fs::read(object).unwrap()
    });

    #[test]
    fn a_file_gives_its_table_and_functions() {
        let image = Image::parse(&OBJECT).unwrap();
        let tables = image.tables().unwrap();
        assert!(matches!(tables[..], [(_, 8)]));
        let (functions, all) = image.functions();
        assert!(all);
        assert!(functions.iter().any(|s| s.name == "one" && s.len > 16));
        let other = hotsled_sys::modules::loaded().remove(0);
        let differs = image.check_loaded(&other, &Flat(OBJECT.clone()));
        assert_eq!(differs, Err(ImageError::Differs { what: "segments" }));
        let own = Image::parse(&OBJECT[..40]).err().unwrap();
        assert!(matches!(own, ImageError::Elf(_)));
    }

    #[test]
    fn a_table_out_of_memory_or_of_broken_rows_is_named() {
        let elf = Elf::parse(&OBJECT).unwrap();
        let table =
            |h: &goblin::elf::SectionHeader| elf.shdr_strtab.get_at(h.sh_name) == Some(TABLE);
        let index = elf.section_headers.iter().position(table).unwrap();
        let header = elf.header.e_shoff as usize + 64 * index;
        for (field, value) in [(16, u64::MAX - 3), (16, 1 << 40), (32, 9), (32, 1 << 40)] {
            let mut bytes = OBJECT.clone();
            bytes[header + field..header + field + 8].copy_from_slice(&u64::to_le_bytes(value));
            let tables = Image::parse(&bytes).unwrap().tables();
            assert!(
                matches!(tables, Err(ImageError::Table { .. })),
                "{field} {value:#x}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn damaged_files_never_panic(
            at in any::<prop::sample::Index>(), byte in any::<u8>(),
            headers in any::<bool>(), cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = OBJECT.clone();
            // Headers: the file's and the segments' in front, the sections' at the end.
            let index = at.index(1024);
            let index = if headers { index } else { bytes.len() - 1 - index };
            bytes[index] = byte;
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                if let Ok(image) = Image::parse(bytes) {
                    let _ = (image.tables(), image.functions().1);
                    let _ = image.check_loaded(&as_loaded(&image), &Flat(bytes.to_vec()));
                }
            }
        }
    }
}
