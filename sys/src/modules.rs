//! The executable and the shared objects that are loaded (dl_iterate_phdr(3)).

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr::NonNull;

/// One program header of a loaded module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Kind, as in `p_type`.
    pub kind: u32,
    /// First address in this process.
    pub start: u64,
    /// Bytes in memory.
    pub len: u64,
    /// Whether it may be read.
    pub read: bool,
    /// Whether it may be executed.
    pub execute: bool,
}

impl Segment {
    /// Whether all of `[address, address + len)` lies in it.
    pub fn holds(&self, address: u64, len: u64) -> bool {
        let offset = address.checked_sub(self.start);
        offset.is_some_and(|o| o.checked_add(len).is_some_and(|end| end <= self.len))
    }
}

/// One loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Name by which the loader knows it; empty for the executable.
    name: PathBuf,
    /// What is added to the addresses in its file.
    pub base: u64,
    /// Its program headers.
    pub segments: Vec<Segment>,
}

impl Module {
    /// The file it was loaded from.
    pub fn path(&self) -> PathBuf {
        if self.name.as_os_str().is_empty() {
            PathBuf::from("/proc/self/exe")
        } else {
            self.name.clone()
        }
    }

    /// Whether `address` lies in one of its loaded segments.
    pub fn contains(&self, address: u64) -> bool {
        let loads = self.segments.iter().filter(|s| s.kind == libc::PT_LOAD);
        loads.into_iter().any(|s| s.holds(address, 1))
    }

    /// Keeps the module loaded for as long as the process lives; dlclose(3) no longer unmaps it.
    ///
    /// # Errors
    /// When it was unloaded, or another module of this name lies elsewhere.
    pub fn pin(&self) -> io::Result<()> {
        if self.name.as_os_str().is_empty() {
            return Ok(());
        }
        let name = std::ffi::CString::new(self.name.as_os_str().as_bytes())?;
        let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        // SAFETY: RTLD_NOLOAD runs no constructor; the name is a C string that outlives the call.
        let handle = NonNull::new(unsafe { libc::dlopen(name.as_ptr(), flags) });
        let handle = handle.ok_or_else(|| io::Error::other("the module is no longer loaded"))?;
        if base_of(handle)? == self.base {
            Ok(())
        } else {
            Err(io::Error::other("the loader knows another by this name"))
        }
    }
}

/// Every loaded module, in the loader's order: the executable is first.
pub fn loaded() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    let into = (&raw mut modules).cast();
    // SAFETY: `push` matches the signature and gets `modules`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(push), into) };
    modules
}

unsafe extern "C" fn push(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    into: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the loader passes a valid description, for the time of this call.
    let info = unsafe { &*info };
    // SAFETY: `loaded` passes its own vector and touches it only after the iteration.
    let modules = unsafe { &mut *into.cast::<Vec<Module>>() };
    let count = usize::from(info.dlpi_phnum);
    // SAFETY: the loader says that `count` headers lie there.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
    modules.push(Module {
        name: name(info.dlpi_name),
        base: info.dlpi_addr,
        segments: headers.iter().map(|h| segment(info.dlpi_addr, h)).collect(),
    });
    0
}

fn name(name: *const libc::c_char) -> PathBuf {
    if name.is_null() {
        return PathBuf::new();
    }
    // SAFETY: the loader's names are C strings that live as long as the module.
    let name = unsafe { CStr::from_ptr(name) };
    PathBuf::from(OsStr::from_bytes(name.to_bytes()))
}

fn segment(base: u64, header: &libc::Elf64_Phdr) -> Segment {
    Segment {
        kind: header.p_type,
        start: base.wrapping_add(header.p_vaddr),
        len: header.p_memsz,
        read: header.p_flags & libc::PF_R != 0,
        execute: header.p_flags & libc::PF_X != 0,
    }
}

fn base_of(handle: NonNull<libc::c_void>) -> io::Result<u64> {
    let mut map: *const u64 = std::ptr::null();
    let into = (&raw mut map).cast();
    // SAFETY: the handle is from dlopen; RTLD_DI_LINKMAP stores one pointer at `into`.
    let failed = unsafe { libc::dlinfo(handle.as_ptr(), libc::RTLD_DI_LINKMAP, into) };
    if failed != 0 || map.is_null() {
        return Err(io::Error::other("dlinfo does not know the module"));
    }
    // SAFETY: a link_map begins with `l_addr`, and the module is loaded while the handle is open.
    Ok(unsafe { *map })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_the_program_and_of_libc_is_found_in_their_modules() {
        let modules = loaded();
        let find = |address| modules.iter().find(|m| m.contains(address)).unwrap();
        let own = find(loaded as *const () as u64);
        assert_eq!(own.path(), PathBuf::from("/proc/self/exe"));
        let libc = find(libc::getpid as *const () as u64);
        assert!(libc.path().to_string_lossy().contains("libc"));
        own.pin().unwrap();
        libc.pin().unwrap();
    }

    #[test]
    fn a_module_that_lies_elsewhere_is_not_pinned() {
        let mut module = loaded()
            .into_iter()
            .find(|m| m.base != 0 && m.pin().is_ok() && !m.name.as_os_str().is_empty())
            .unwrap();
        module.base += 4096;
        assert!(module.pin().is_err());
        module.name = PathBuf::from("/no/such/module.so");
        assert!(module.pin().is_err());
    }

    #[test]
    fn a_segment_holds_what_ends_in_it() {
        let segment = Segment {
            kind: libc::PT_LOAD,
            start: 0x1000,
            len: 0x10,
            read: true,
            execute: true,
        };
        assert!(segment.holds(0x1008, 8) && !segment.holds(0x1009, 8) && !segment.holds(0xfff, 1));
        assert!(!segment.holds(u64::MAX, 2));
    }
}
