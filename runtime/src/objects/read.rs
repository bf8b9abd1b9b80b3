//! Reads what an object says of itself, and believes nothing in it.

use std::sync::atomic::Ordering;

use hotsled_abi::{CONTRACT_VERSION, Module, ModuleHead, Note, READY, RecordView};
use hotsled_ir::Valid;
use hotsled_patcher::{Spaces, TableEntry};
use hotsled_sys::modules::{Module as Mapped, Segment};

use super::fault::ObjectFault;

/// An object's note, with the memory that it may lead to.
pub(super) struct Noted {
    pub note: Note,
    pub memory: Memory,
}

/// The mapped memory of one object.
pub(super) struct Memory(Vec<Segment>);

impl Memory {
    fn covers(&self, address: u64, len: u64, wanted: impl Fn(&Segment) -> bool) -> bool {
        let mut loads = self.0.iter().filter(|s| s.is_loaded());
        loads.any(|s| s.holds(address, len) && wanted(s))
    }

    /// Whether the loader made a part of the range read-only after relocating it.
    fn is_sealed(&self, address: u64, len: u64) -> bool {
        let mut sealed = self.0.iter().filter(|s| s.is_sealed());
        sealed.any(|s| address < s.start + s.len && s.start < address.saturating_add(len))
    }
}

impl Spaces for Memory {
    fn executable(&self, address: u64, len: u64) -> bool {
        self.covers(address, len, |s| s.execute && !s.write)
    }

    fn readable(&self, address: u64, len: u64) -> bool {
        self.covers(address, len, |s| s.read)
    }

    fn writable(&self, address: u64, len: u64) -> bool {
        let writable = |s: &Segment| s.write && !s.execute;
        self.covers(address, len, writable) && !self.is_sealed(address, len)
    }
}

/// The note of an object; most objects have none.
pub(super) fn note(object: &Mapped) -> Result<Option<Noted>, ObjectFault> {
    let mut found = None;
    for (base, bytes) in &object.notes {
        if let Some(note) = Note::find(bytes, *base).map_err(ObjectFault::Note)? {
            found = Some(note);
        }
    }
    let memory = || Memory(object.segments.clone());
    Ok(found.map(|note| Noted {
        note,
        memory: memory(),
    }))
}

/// The GNU build id in hexadecimal; empty if the linker put none there.
pub(super) fn build_id(object: &Mapped) -> String {
    let mut notes = object.notes.iter();
    let id = notes.find_map(|(_, bytes)| hotsled_abi::build_id(bytes));
    let id = id.unwrap_or_default();
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Noted {
    /// The part of the copy's module that every version has.
    pub(super) fn head(&self) -> Result<&'static ModuleHead, ObjectFault> {
        let address = self.module_at(size_of::<ModuleHead>() as u64)?;
        // SAFETY: writable, aligned memory of this object, where every version keeps a head. It is used
        // only while the object is mapped.
        Ok(unsafe { &*(address as *const ModuleHead) })
    }

    /// The copy's module, if it is of this contract and its functions are the object's own; `None` while
    /// the loader has not relocated the object, and once it is about to unmap it.
    pub(super) fn module(&self) -> Result<Option<&'static Module>, ObjectFault> {
        let head = self.head()?;
        let version = self.note.version;
        let size = size_of::<Module>() as u64;
        if version != CONTRACT_VERSION || head.version != version || u64::from(head.size) != size {
            return Err(ObjectFault::Contract { version });
        }
        let address = self.module_at(size)?;
        // SAFETY: as for the head; the version says that it is a whole module of this contract.
        let module = unsafe { &*(address as *const Module) };
        if module.stage.load(Ordering::Acquire) != READY {
            return Ok(None);
        }
        let code = [
            module.enrol as *const () as u64,
            module.run_grain as *const () as u64,
            module.discard as *const () as u64,
        ];
        match code.iter().find(|&&at| !self.memory.executable(at, 1)) {
            None => Ok(Some(module)),
            Some(&at) => self.out("module's function", at, at + 1, "executable"),
        }
    }

    fn module_at(&self, len: u64) -> Result<u64, ObjectFault> {
        let at = self.note.module;
        if at.is_multiple_of(align_of::<Module>() as u64) && self.memory.writable(at, len) {
            Ok(at)
        } else {
            self.out("module", at, at.saturating_add(len), "aligned, writable")
        }
    }

    fn out<T>(
        &self,
        what: &'static str,
        start: u64,
        end: u64,
        space: &'static str,
    ) -> Result<T, ObjectFault> {
        Err(ObjectFault::Bounds {
            what,
            start,
            end,
            space,
        })
    }

    /// Every section of the object, in table order.
    pub(super) fn sections(&self) -> Result<Vec<Found>, ObjectFault> {
        let Note { start, stop, .. } = self.note;
        if start == stop {
            return Ok(Vec::new()); // some linkers place an empty table nowhere in particular
        }
        if start > stop || !self.memory.readable(start, stop - start) {
            return self.out("site table", start, stop, "readable");
        }
        // SAFETY: the bounds lie in a mapped, readable segment that the loader keeps while this is read.
        let entries = unsafe {
            hotsled_patcher::read_in(start as *const u8, stop as *const u8, &self.memory)
        };
        let entries = entries.map_err(ObjectFault::Table)?;
        entries.into_iter().map(found).collect()
    }
}

/// One section of an object, checked, with the texts copied out of it.
pub(super) struct Found {
    pub entry: TableEntry,
    pub path: String,
    pub bytes: Vec<u8>,
    pub module: Valid,
}

fn found(entry: TableEntry) -> Result<Found, ObjectFault> {
    let sled = entry.sled;
    // SAFETY: the table reader found this range readable, and records are read-only data.
    let record = unsafe { std::slice::from_raw_parts(entry.record as *const u8, entry.record_len) };
    let view = RecordView::parse(record).map_err(|source| ObjectFault::Record { sled, source })?;
    let module = hotsled_ir::read(view.module).map_err(|source| ObjectFault::Isa {
        section: view.path.to_owned(),
        sled,
        source,
    })?;
    Ok(Found {
        entry,
        path: view.path.to_owned(),
        bytes: view.module.to_vec(),
        module,
    })
}
