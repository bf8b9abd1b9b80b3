//! An ELF file that does nothing but name code which is elsewhere in memory.

use libc::{Elf64_Ehdr, Elf64_Shdr, Elf64_Sym};

use crate::{BLOCK_LEN, Symbol};

// What elf(5) names and libc does not.
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_NOBITS: u32 = 8;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;
const GLOBAL_FUNCTION: u8 = 1 << 4 | 2;

/// Sections, counted from the null one: code, symbols, strings.
const TEXT: u16 = 1;
const STRINGS: u16 = 3;
const SECTIONS: u16 = 4;

/// Where the strings begin: with the names of the sections.
const SECTION_NAMES: &[u8] = b"\0.text\0.symtab\0.strtab\0";

const NULL: Elf64_Shdr = Elf64_Shdr {
    sh_name: 0,
    sh_type: 0,
    sh_flags: 0,
    sh_addr: 0,
    sh_offset: 0,
    sh_size: 0,
    sh_link: 0,
    sh_info: 0,
    sh_addralign: 0,
    sh_entsize: 0,
};

/// An object file whose one section of code lies where the blocks are, with their names: header, headers of
/// the sections, symbols, strings.
pub fn file(symbols: &[Symbol]) -> Vec<u8> {
    let address = |s: &Symbol| s.at.get();
    let base = symbols.iter().map(address).min().unwrap_or(0);
    let end = symbols.iter().map(address).max().unwrap_or(0) + BLOCK_LEN as u64;
    let (table, strings) = names(symbols, base);
    let headers = [
        NULL,
        code(base, end),
        symbol_table(table.len()),
        string_table(table.len(), strings.len()),
    ];
    let mut file = Vec::new();
    put(&mut file, &header());
    headers.iter().for_each(|header| put(&mut file, header));
    file.extend(table);
    file.extend(strings);
    file
}

/// The symbols, the null one first, and all strings.
fn names(symbols: &[Symbol], base: u64) -> (Vec<u8>, Vec<u8>) {
    let (mut table, mut strings) = (Vec::new(), SECTION_NAMES.to_vec());
    let mut null = Elf64_Sym {
        st_name: 0,
        st_info: 0,
        st_other: 0,
        st_shndx: 0,
        st_value: 0,
        st_size: 0,
    };
    put(&mut table, &null);
    null.st_info = GLOBAL_FUNCTION;
    for symbol in symbols {
        let entry = Elf64_Sym {
            st_name: strings.len() as u32,
            st_shndx: TEXT,
            st_value: symbol.at.get() - base,
            st_size: BLOCK_LEN as u64,
            ..null
        };
        put(&mut table, &entry);
        strings.extend(symbol.name.bytes().chain([0]));
    }
    (table, strings)
}

fn header() -> Elf64_Ehdr {
    let mut ident = [0; 16];
    ident[..4].copy_from_slice(b"\x7fELF");
    (ident[4], ident[5], ident[6]) = (libc::ELFCLASS64, libc::ELFDATA2LSB, 1);
    Elf64_Ehdr {
        e_ident: ident,
        e_type: libc::ET_REL,
        e_machine: libc::EM_X86_64,
        e_version: libc::EV_CURRENT,
        e_entry: 0,
        e_phoff: 0,
        e_shoff: size_of::<Elf64_Ehdr>() as u64,
        e_flags: 0,
        e_ehsize: size_of::<Elf64_Ehdr>() as u16,
        e_phentsize: 0,
        e_phnum: 0,
        e_shentsize: size_of::<Elf64_Shdr>() as u16,
        e_shnum: SECTIONS,
        e_shstrndx: STRINGS,
    }
}

fn code(base: u64, end: u64) -> Elf64_Shdr {
    Elf64_Shdr {
        sh_name: 1,
        sh_type: SHT_NOBITS, // the code is in memory already
        sh_flags: SHF_ALLOC | SHF_EXECINSTR,
        sh_addr: base,
        sh_size: end - base,
        sh_addralign: BLOCK_LEN as u64,
        ..NULL
    }
}

/// Where the symbols are: behind all headers.
const TABLE: usize = size_of::<Elf64_Ehdr>() + SECTIONS as usize * size_of::<Elf64_Shdr>();

fn symbol_table(len: usize) -> Elf64_Shdr {
    Elf64_Shdr {
        sh_name: 7,
        sh_type: SHT_SYMTAB,
        sh_offset: TABLE as u64,
        sh_size: len as u64,
        sh_link: u32::from(STRINGS),
        sh_info: 1, // the first that is not local
        sh_addralign: 8,
        sh_entsize: size_of::<Elf64_Sym>() as u64,
        ..NULL
    }
}

fn string_table(table: usize, len: usize) -> Elf64_Shdr {
    Elf64_Shdr {
        sh_name: 15,
        sh_type: SHT_STRTAB,
        sh_offset: (TABLE + table) as u64,
        sh_size: len as u64,
        sh_addralign: 1,
        ..NULL
    }
}

/// One of the file's structures.
trait Plain {}

impl Plain for Elf64_Ehdr {}
impl Plain for Elf64_Shdr {}
impl Plain for Elf64_Sym {}

fn put<T: Plain>(file: &mut Vec<u8>, value: &T) {
    let first = (&raw const *value).cast();
    // SAFETY: the structures of elf(5) have no padding, and `value` lives.
    file.extend_from_slice(unsafe { std::slice::from_raw_parts(first, size_of::<T>()) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotsled_abi::TargetAddr;
    use object::{Object, ObjectSection, ObjectSymbol};

    #[test]
    fn the_file_names_every_block_where_it_lies() {
        let symbol = |n: u64| Symbol {
            at: TargetAddr::new(0x7000_0040 + n * BLOCK_LEN as u64),
            name: format!("block {n}"),
        };
        let symbols: Vec<_> = (0..3).map(symbol).collect();
        let bytes = file(&symbols);
        let read = object::File::parse(&*bytes).unwrap();
        let text = read.section_by_name(".text").unwrap();
        assert_eq!((text.address(), text.size()), (0x7000_0040, 0x30));
        let found: Vec<_> = read
            .symbols()
            .map(|s| (s.name().unwrap().to_owned(), s.address(), s.size()))
            .collect();
        assert_eq!(found[2], ("block 2".to_owned(), 0x20, BLOCK_LEN as u64));
        assert_eq!(found.len(), 3);
    }
}
