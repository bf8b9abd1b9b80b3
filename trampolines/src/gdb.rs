//! Names for gdb, by its interface for code that is made at run time: a list of ELF files in memory, and
//! a function that the debugger stops at when the list changes.

use std::arch::global_asm;
use std::ptr::null_mut;
use std::sync::Mutex;

use object::elf;
use object::write::elf::{FileHeader, SectionHeader, Sym, Writer};

use crate::{BLOCK_LEN, Symbol};

// The names are gdb's. Weak, since other code generators in the program define them, too; all then use
// one list.
global_asm!(
    ".pushsection .text.__jit_debug_register_code,\"ax\",@progbits",
    ".weak __jit_debug_register_code",
    ".type __jit_debug_register_code,@function",
    "__jit_debug_register_code:",
    ".cfi_startproc",
    "ret",
    ".cfi_endproc",
    ".size __jit_debug_register_code, . - __jit_debug_register_code",
    ".popsection",
    ".pushsection .data.__jit_debug_descriptor,\"aw\",@progbits",
    ".balign 8",
    ".weak __jit_debug_descriptor",
    ".type __jit_debug_descriptor,@object",
    "__jit_debug_descriptor:",
    ".long 1, 0",
    ".quad 0, 0",
    ".size __jit_debug_descriptor, . - __jit_debug_descriptor",
    ".popsection",
);

unsafe extern "C" {
    fn __jit_debug_register_code();
    static mut __jit_debug_descriptor: Descriptor;
}

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

#[repr(C)]
struct Entry {
    next: *mut Entry,
    prev: *mut Entry,
    file: *const u8,
    len: u64,
}

/// `JIT_REGISTER_FN` of gdb's manual.
const REGISTER: u32 = 1;

static LIST: Mutex<()> = Mutex::new(());

/// Makes symbols known to a debugger that is attached, or will be, for the rest of the process's life.
pub fn register(symbols: &[Symbol]) {
    if symbols.is_empty() {
        return;
    }
    let file = file(symbols).leak();
    let _one = LIST.lock().unwrap_or_else(|e| e.into_inner());
    let list = &raw mut __jit_debug_descriptor;
    // SAFETY: the interface's own static, valid for ever; the lock keeps our other threads out.
    let list = unsafe { &mut *list };
    let entry = Box::into_raw(Box::new(Entry {
        next: list.first,
        prev: null_mut(),
        file: file.as_ptr(),
        len: file.len() as u64,
    }));
    // SAFETY: what is in the list is valid; whoever frees an entry takes it out before.
    if let Some(first) = unsafe { list.first.as_mut() } {
        first.prev = entry;
    }
    (list.first, list.relevant, list.action) = (entry, entry, REGISTER);
    // SAFETY: the interface's function does nothing but be stopped at.
    unsafe { __jit_debug_register_code() };
}

/// An ELF object file whose one section lies where the blocks are, with their names.
fn file(symbols: &[Symbol]) -> Vec<u8> {
    let address = |s: &Symbol| s.at.get();
    let base = symbols.iter().map(address).min().unwrap_or(0);
    let end = symbols.iter().map(address).max().unwrap_or(0) + BLOCK_LEN as u64;
    let mut bytes = Vec::new();
    let mut out = Writer::new(object::Endianness::Little, true, &mut bytes);
    out.reserve_file_header();
    let text_name = out.add_section_name(b".text");
    let text = out.reserve_section_index();
    let symtab = out.reserve_symtab_section_index();
    out.reserve_strtab_section_index();
    out.reserve_shstrtab_section_index();
    out.reserve_null_symbol_index();
    let names: Vec<_> = symbols
        .iter()
        .map(|s| {
            (
                out.add_string(s.name.as_bytes()),
                out.reserve_symbol_index(Some(text)),
            )
        })
        .map(|(name, _)| name)
        .collect();
    out.reserve_symtab();
    out.reserve_strtab();
    out.reserve_shstrtab();
    out.reserve_section_headers();

    let head = FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_REL,
        e_machine: elf::EM_X86_64,
        e_entry: 0,
        e_flags: 0,
    };
    out.write_file_header(&head).expect("a Vec grows");
    out.write_null_symbol();
    for (symbol, name) in symbols.iter().zip(names) {
        out.write_symbol(&Sym {
            name: Some(name),
            section: Some(text),
            st_info: elf::STB_GLOBAL << 4 | elf::STT_FUNC,
            st_other: elf::STV_DEFAULT,
            st_shndx: 0,
            st_value: symbol.at.get() - base,
            st_size: BLOCK_LEN as u64,
        });
    }
    out.write_strtab();
    out.write_shstrtab();
    out.write_null_section_header();
    out.write_section_header(&SectionHeader {
        name: Some(text_name),
        sh_type: elf::SHT_NOBITS, // the code is in memory already
        sh_flags: u64::from(elf::SHF_ALLOC | elf::SHF_EXECINSTR),
        sh_addr: base,
        sh_offset: 0,
        sh_size: end - base,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: BLOCK_LEN as u64,
        sh_entsize: 0,
    });
    debug_assert_eq!(symtab.0, text.0 + 1);
    out.write_symtab_section_header(1);
    out.write_strtab_section_header();
    out.write_shstrtab_section_header();
    bytes
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
            .map(|s| (s.name().unwrap().to_owned(), s.address()))
            .collect();
        assert_eq!(found[2], ("block 2".to_owned(), 0x20));
        assert_eq!(found.len(), 3);
    }
}
