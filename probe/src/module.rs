//! A loaded executable or shared object, with its table of sleds.

use std::path::PathBuf;

use hotsled_sys::modules::{self, Segment};
use hotsled_sys::procmem::ProcMem;

use crate::image::{Image, ImageError, Memory, Symbol};

/// Why a module's table is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Nothing is loaded there.
    #[error("no loaded module contains {address:#x}")]
    NotLoaded {
        /// The address.
        address: u64,
    },
    /// It may be unloaded under our hands.
    #[error("cannot keep {path} loaded: {source}")]
    Pin {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its file is gone or closed to us.
    #[error("cannot read {path}: {source}; its section headers say where the table lies")]
    File {
        /// Its file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Its file tells nothing.
    #[error("{path}: {source}")]
    Image {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: ImageError,
    },
    /// Own memory cannot be read.
    #[error("cannot open /proc/self/mem: {0}; mount /proc")]
    Memory(#[source] std::io::Error),
}

/// A module that stays loaded for as long as the process lives.
#[derive(Clone, Debug)]
pub struct Module {
    path: PathBuf,
    loaded: modules::Module,
    rows: Vec<u64>,
    functions: Vec<Symbol>,
    knows_all: bool,
}

impl Module {
    /// The running executable.
    ///
    /// # Errors
    /// See [`ModuleError`].
    pub fn executable() -> Result<Self, ModuleError> {
        let first = modules::loaded().into_iter().next();
        Self::open(first.ok_or(ModuleError::NotLoaded { address: 0 })?)
    }

    /// The module that `address` lies in, say, a function's.
    ///
    /// # Errors
    /// See [`ModuleError`].
    pub fn containing(address: u64) -> Result<Self, ModuleError> {
        let mut loaded = modules::loaded().into_iter();
        let found = loaded.find(|m| m.contains(address));
        Self::open(found.ok_or(ModuleError::NotLoaded { address })?)
    }

    fn open(loaded: modules::Module) -> Result<Self, ModuleError> {
        let path = loaded.path();
        let pinned = loaded.pin();
        pinned.map_err(|source| ModuleError::Pin {
            path: path.clone(),
            source,
        })?;
        let bytes = std::fs::read(&path).map_err(|source| ModuleError::File {
            path: path.clone(),
            source,
        })?;
        let memory = ProcMem::open().map_err(ModuleError::Memory)?;
        Self::read(path.clone(), loaded, &bytes, &memory)
            .map_err(|source| ModuleError::Image { path, source })
    }

    fn read(
        path: PathBuf,
        loaded: modules::Module,
        file: &[u8],
        memory: &impl Memory,
    ) -> Result<Self, ImageError> {
        let image = Image::parse(file)?;
        image.check_loaded(&loaded, memory)?;
        let mut rows = Vec::new();
        for (address, len) in image.tables()? {
            let address = loaded.base.wrapping_add(address);
            let table = memory.get(address, len);
            let table = table.map_err(|_| ImageError::Memory { address })?;
            // The loader has applied the relocations: these are addresses of this process.
            rows.extend(
                table
                    .chunks_exact(8)
                    .map(|row| u64::from_le_bytes(row.try_into().expect("chunks of eight"))),
            );
        }
        rows.sort_unstable();
        let (functions, knows_all) = image.functions();
        Ok(Self {
            path,
            loaded,
            rows,
            functions,
            knows_all,
        })
    }

    /// The file it was loaded from.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Addresses in its table, ascending, as they stand.
    pub(crate) fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// The executable segment that holds `address`.
    pub(crate) fn text(&self, address: u64) -> Option<&Segment> {
        let mut loads = self.loaded.segments.iter();
        loads.find(|s| s.kind == libc::PT_LOAD && s.execute && s.read && s.holds(address, 1))
    }

    /// The function that `address` lies in, by the symbol table.
    pub(crate) fn function(&self, address: u64) -> Option<(u64, &Symbol)> {
        let before = self.before(address)?;
        let start = self.loaded.base.wrapping_add(before.start);
        (address - start < before.len.max(1)).then_some((start, before))
    }

    /// Whether the file names every function, also those of one source file alone.
    pub(crate) fn knows_all(&self) -> bool {
        self.knows_all
    }

    /// The last symbol that starts at or before `address`.
    fn before(&self, address: u64) -> Option<&Symbol> {
        let in_file = address.checked_sub(self.loaded.base)?;
        let at = self.functions.partition_point(|s| s.start <= in_file);
        self.functions.get(at.checked_sub(1)?)
    }
}
