//! The executable and the shared objects that are loaded (dl_iterate_phdr(3)).

use std::ffi::{CStr, OsStr};
use std::io;
use std::ops::ControlFlow;
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
    /// Whether it may be written.
    pub write: bool,
    /// Whether it may be executed.
    pub execute: bool,
}

/// How often modules came and went; changes when the list of modules does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    adds: u64,
    subs: u64,
}

impl Segment {
    /// Whether it is memory of the module, and not a description of a part of it.
    pub fn is_loaded(&self) -> bool {
        self.kind == libc::PT_LOAD
    }

    /// Whether it describes what the loader made read-only after relocating it.
    pub fn is_sealed(&self) -> bool {
        self.kind == libc::PT_GNU_RELRO
    }

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
    /// Address and bytes of each note segment; none that is not within its readable memory.
    pub notes: Vec<(u64, Vec<u8>)>,
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
        let mut loads = self.segments.iter().filter(|s| s.is_loaded());
        loads.any(|s| s.holds(address, 1))
    }

    /// Keeps the module loaded for as long as the process lives; dlclose(3) no longer unmaps it.
    ///
    /// # Errors
    /// When it was unloaded, or another module of this name lies elsewhere.
    pub fn pin(&self) -> io::Result<()> {
        self.hold(libc::RTLD_NODELETE).map(std::mem::forget)
    }

    /// Keeps the module loaded until the guard is dropped. Waits for a thread that loads or unloads.
    ///
    /// # Errors
    /// As for [`pin`](Self::pin).
    pub fn keep(&self) -> io::Result<Kept> {
        self.hold(0)
    }

    /// The executable is held by nothing: it is never unloaded.
    fn hold(&self, flags: libc::c_int) -> io::Result<Kept> {
        if self.name.as_os_str().is_empty() {
            return Ok(Kept(None));
        }
        let name = std::ffi::CString::new(self.name.as_os_str().as_bytes())?;
        let flags = flags | libc::RTLD_NOW | libc::RTLD_NOLOAD;
        // SAFETY: RTLD_NOLOAD runs no constructor; the name is a C string that outlives the call.
        let handle = NonNull::new(unsafe { libc::dlopen(name.as_ptr(), flags) });
        let handle = handle.ok_or_else(|| io::Error::other("the module is no longer loaded"))?;
        let kept = Kept(Some(handle));
        if base_of(handle)? == self.base {
            Ok(kept)
        } else {
            Err(io::Error::other("the loader knows another by this name"))
        }
    }

    fn read(info: &libc::dl_phdr_info) -> Self {
        let count = usize::from(info.dlpi_phnum);
        // SAFETY: the loader says that `count` headers lie there while it shows the module.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
        let segments: Vec<_> = headers.iter().map(|h| segment(info.dlpi_addr, h)).collect();
        Self {
            name: name(info.dlpi_name),
            base: info.dlpi_addr,
            notes: notes(&segments),
            segments,
        }
    }
}

/// A module that stays loaded until this is dropped, which may unload it.
#[must_use = "the module may be unloaded when this is dropped"]
#[derive(Debug)]
pub struct Kept(Option<NonNull<libc::c_void>>);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(handle) = self.0 {
            // SAFETY: the handle came from dlopen and is closed once.
            unsafe { libc::dlclose(handle.as_ptr()) };
        }
    }
}

/// Every loaded module, in the loader's order: the executable is first.
pub fn loaded() -> Vec<Module> {
    let mut modules = Vec::new();
    each(|module| {
        modules.push(module);
        ControlFlow::Continue(())
    });
    modules
}

/// Shows every module to `visit` until it breaks.
///
/// The loader holds its list's lock meanwhile: no module that is shown is unmapped before this returns, and
/// one thread at a time is in here. Calls may nest. `visit` must not panic, load, unload, wait for another
/// lock, or use a thread-local for the first time: to register its destructor libc takes the loader's other
/// lock, whose holders wait for this one.
pub fn each(mut visit: impl FnMut(Module) -> ControlFlow<()>) {
    walk(|info| visit(Module::read(info)));
}

fn walk<F: FnMut(&libc::dl_phdr_info) -> ControlFlow<()>>(mut visit: F) {
    unsafe extern "C" fn step<F: FnMut(&libc::dl_phdr_info) -> ControlFlow<()>>(
        info: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        visit: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the loader passes a valid description, for the time of this call.
        let info = unsafe { &*info };
        // SAFETY: `walk` passes its closure, which nobody else uses meanwhile.
        let visit = unsafe { &mut *visit.cast::<F>() };
        libc::c_int::from(visit(info).is_break())
    }
    // SAFETY: `step` has the signature asked for, and the closure outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(step::<F>), (&raw mut visit).cast()) };
}

/// Runs `work` while no other thread of the process is in here or in [`each`], whichever copy of this
/// code it runs: the loader's lock is the one lock that all copies share. The rules of [`each`] hold.
pub fn exclusive<T>(work: impl FnOnce() -> T) -> T {
    let (mut work, mut result) = (Some(work), None);
    walk(|_| {
        result = work.take().map(|work| work());
        ControlFlow::Break(())
    });
    result.expect("the loader shows at least the program")
}

/// How often modules came and went so far.
pub fn changes() -> Changes {
    let mut seen = None;
    walk(|info| {
        seen = Some(Changes {
            adds: info.dlpi_adds,
            subs: info.dlpi_subs,
        });
        ControlFlow::Break(())
    });
    seen.expect("the loader shows at least the program")
}

/// The module that holds `address`.
pub fn holding(address: u64) -> Option<Module> {
    loaded().into_iter().find(|m| m.contains(address))
}

/// Notes where they can be read.
fn notes(segments: &[Segment]) -> Vec<(u64, Vec<u8>)> {
    let of = |kind| segments.iter().filter(move |s| s.kind == kind);
    let readable = |n: &&Segment| of(libc::PT_LOAD).any(|s| s.read && s.holds(n.start, n.len));
    let copy = |n: &Segment| {
        let (start, len) = (n.start as *const u8, n.len as usize);
        // SAFETY: within a readable segment of a module that the loader shows just now; nobody writes notes.
        let bytes = unsafe { std::slice::from_raw_parts(start, len) };
        (n.start, bytes.to_vec())
    };
    of(libc::PT_NOTE).filter(readable).map(copy).collect()
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
        write: header.p_flags & libc::PF_W != 0,
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
    fn what_is_loaded_can_be_kept_and_has_notes() {
        let libc = holding(libc::getpid as *const () as u64).unwrap();
        drop(libc.keep().unwrap());
        assert!(!libc.notes.is_empty(), "libc has a build id at least");
        let gone = Module {
            name: PathBuf::from("/nowhere/gone.so"),
            ..libc
        };
        assert!(gone.keep().is_err());
    }

    #[test]
    fn exclusive_excludes_and_nests() {
        static INSIDE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        use std::sync::atomic::Ordering::SeqCst;
        let work = || {
            for _ in 0..200 {
                exclusive(|| {
                    assert_eq!(INSIDE.fetch_add(1, SeqCst), 0);
                    changes();
                    INSIDE.fetch_sub(1, SeqCst);
                });
            }
        };
        std::thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(work)));
        });
    }

    #[test]
    fn a_segment_holds_what_ends_in_it() {
        let segment = Segment {
            kind: libc::PT_LOAD,
            start: 0x1000,
            len: 0x10,
            read: true,
            write: false,
            execute: true,
        };
        assert!(segment.holds(0x1008, 8) && !segment.holds(0x1009, 8) && !segment.holds(0xfff, 1));
        assert!(!segment.holds(u64::MAX, 2));
    }
}
