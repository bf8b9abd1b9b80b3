//! An ELF file as memory: what would lie at an address, and with which rights.

use goblin::container::{Container, Ctx};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, EM_X86_64, ET_REL};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_LOAD};
use goblin::elf::section_header::SHT_NOBITS;
use goblin::elf::{Elf, ProgramHeader, SectionHeader};

use super::error::FileError;

/// One ELF file.
pub(super) struct Image<'a> {
    bytes: &'a [u8],
    loads: Vec<ProgramHeader>,
    headers: Vec<SectionHeader>,
    names: &'a [u8],
}

/// A section's bytes and their address.
#[derive(Default)]
pub(super) struct Table<'a> {
    pub address: u64,
    pub bytes: &'a [u8],
}

impl<'a> Image<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FileError> {
        let header = Elf::parse_header(bytes)?;
        let ident = header.e_ident;
        if ident[EI_CLASS] != ELFCLASS64
            || ident[EI_DATA] != ELFDATA2LSB
            || header.e_machine != EM_X86_64
        {
            let machine = goblin::elf::header::machine_to_str(header.e_machine);
            let (class, data) = (ident[EI_CLASS], ident[EI_DATA]);
            let kind = format!("{machine} (class {class}, data {data})");
            return Err(FileError::Foreign(kind));
        }
        if header.e_type == ET_REL {
            return Err(FileError::Object);
        }
        let ctx = Ctx::new(Container::Big, goblin::container::Endian::Little);
        let (at, count) = (header.e_phoff as usize, usize::from(header.e_phnum));
        let mut loads = ProgramHeader::parse(bytes, at, count, ctx)?;
        loads.retain(|p| p.p_type == PT_LOAD);
        let (at, count) = (header.e_shoff as usize, usize::from(header.e_shnum));
        let headers = SectionHeader::parse(bytes, at, count, ctx)?;
        let names = headers.get(usize::from(header.e_shstrndx));
        let names = names.and_then(|h| slice(bytes, h.sh_offset, h.sh_size));
        let names = names.unwrap_or_default();
        Ok(Self {
            bytes,
            loads,
            headers,
            names,
        })
    }

    /// The section of this name.
    pub fn table(&self, name: &str) -> Result<Option<Table<'a>>, FileError> {
        let named = |h: &&SectionHeader| self.name(h) == name.as_bytes();
        let Some(header) = self.headers.iter().find(named) else {
            return Ok(None);
        };
        let inside = slice(self.bytes, header.sh_offset, header.sh_size);
        let (address, bytes) = (
            header.sh_addr,
            inside.filter(|_| header.sh_type != SHT_NOBITS),
        );
        let outside = FileError::TableOutside {
            offset: header.sh_offset,
            len: header.sh_size,
        };
        Ok(Some(Table {
            address,
            bytes: bytes.ok_or(outside)?,
        }))
    }

    fn name(&self, header: &SectionHeader) -> &[u8] {
        let tail = self.names.get(header.sh_name..).unwrap_or_default();
        tail.split(|b| *b == 0).next().unwrap_or_default()
    }

    /// What the file puts at `address`, if all of it comes from one segment.
    pub fn read(&self, address: u64, len: u64) -> Option<&'a [u8]> {
        let load = self
            .loads
            .iter()
            .find(|p| within(p.p_vaddr, p.p_filesz, address, len))?;
        let offset = load.p_offset.checked_add(address - load.p_vaddr)?;
        slice(self.bytes, offset, len)
    }

    /// Whether `address..address + len` will be executable and not writable.
    pub fn executable(&self, address: u64, len: u64) -> bool {
        self.rights(address, len)
            .is_some_and(|f| f & PF_X != 0 && f & PF_W == 0)
    }

    /// Whether it will be readable.
    pub fn readable(&self, address: u64, len: u64) -> bool {
        self.rights(address, len).is_some_and(|f| f & PF_R != 0)
    }

    /// Whether it will be writable and not executable.
    pub fn writable(&self, address: u64, len: u64) -> bool {
        self.rights(address, len)
            .is_some_and(|f| f & PF_W != 0 && f & PF_X == 0)
    }

    fn rights(&self, address: u64, len: u64) -> Option<u32> {
        let mut all = self.loads.iter();
        all.find(|p| within(p.p_vaddr, p.p_memsz, address, len))
            .map(|p| p.p_flags)
    }
}

fn within(start: u64, size: u64, address: u64, len: u64) -> bool {
    let at = address.checked_sub(start);
    at.and_then(|at| at.checked_add(len))
        .is_some_and(|end| end <= size)
}

fn slice(bytes: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let end = offset.checked_add(len)?;
    bytes.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
}
