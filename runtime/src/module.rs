//! What this copy of the crate shows the other copies in the process: its [`Module`], the note that
//! leads to it, and the hooks by which its object joins and leaves. `objects/README.md` has the rest.

use std::any::Any;
use std::arch::global_asm;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use hotsled_abi::{
    ArgBlock, CONTRACT_VERSION, EngineTable, EntryFn, LEAVING, MAPPED, Module, ModuleHead, READY,
    SiteId,
};

use crate::cell::SectionCell;
use crate::objects;

/// This copy. Every section's cell refers to it, so that the linker takes in this file's note and
/// hooks with the first section.
pub(crate) static MODULE: Module = Module {
    head: ModuleHead {
        version: CONTRACT_VERSION,
        size: size_of::<Module>() as u32,
        engine: AtomicPtr::new(null_mut()),
    },
    joined: AtomicPtr::new(null_mut()),
    stage: AtomicU32::new(MAPPED),
    enrol,
    run_grain: OWN_GRAINS.run,
    discard: OWN_GRAINS.discard,
};

// Linkers keep notes whatever else they collect. The table's section is opened so that it exists in a
// module without any row, too: some linkers refuse relative references to symbols that do not.
global_asm!(
    ".pushsection hotsled_sites_v1,\"aR\",@progbits",
    ".popsection",
    ".hidden __start_hotsled_sites_v1",
    ".hidden __stop_hotsled_sites_v1",
    ".hidden {module}",
    ".pushsection .note.hotsled,\"a\",@note",
    ".balign 4",
    ".long 8, 16, 1",
    ".asciz \"hotsled\"",
    ".long {version}",
    ".long __start_hotsled_sites_v1 - .",
    ".long __stop_hotsled_sites_v1 - .",
    ".long {module} - .",
    ".popsection",
    module = sym MODULE,
    version = const CONTRACT_VERSION,
);

/// The loader runs it when the object is mapped, before any code of the object can be called.
#[used]
#[unsafe(link_section = ".init_array")]
static JOIN: extern "C" fn() = join;

/// The loader runs it before the object is unmapped, and at the end of the process.
#[used]
#[unsafe(link_section = ".fini_array")]
static LEAVE: extern "C" fn() = leave;

extern "C" fn join() {
    MODULE.stage.store(READY, Ordering::Release);
    if let Some(engine) = objects::engine_of_another_copy() {
        // SAFETY: the table is of this contract; the loader unloads no object whose hook it runs.
        unsafe { (engine.loaded)(&MODULE) };
    }
}

extern "C" fn leave() {
    MODULE.stage.store(LEAVING, Ordering::Release);
    // SAFETY: a published table is valid for ever.
    if let Some(engine) = unsafe { MODULE.joined.load(Ordering::Acquire).as_ref() } {
        // SAFETY: the module is this object's own, which is still mapped.
        unsafe { (engine.unloading)(&MODULE) };
    }
}

/// The engine of another copy that runs this copy's sections, if one does.
pub(crate) fn joined() -> Option<&'static EngineTable> {
    // SAFETY: a published table is valid for ever.
    unsafe { MODULE.joined.load(Ordering::Acquire).as_ref() }
}

unsafe extern "C" fn enrol(cell: *const (), number: u32) -> u32 {
    // SAFETY: by the contract the cell is one that this copy's macro made.
    let cell = unsafe { &*cell.cast::<SectionCell>() };
    cell.register(SiteId(number));
    cell.flags()
}

/// How an object runs its own code and frees its own panics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grains {
    run: unsafe extern "C" fn(EntryFn, *const ArgBlock, u64, u64) -> *mut (),
    discard: unsafe extern "C" fn(*mut ()),
}

/// This copy's.
pub(crate) const OWN_GRAINS: Grains = Grains {
    run: run_grain,
    discard,
};

unsafe extern "C" fn run_grain(
    code: EntryFn,
    args: *const ArgBlock,
    start: u64,
    end: u64,
) -> *mut () {
    // SAFETY: the caller passes on what `Grains::run` asks of its caller.
    let run = || unsafe { code(args, start, end) };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => null_mut(),
        Err(payload) => Box::into_raw(Box::new(payload)).cast(),
    }
}

unsafe extern "C" fn discard(panic: *mut ()) {
    // SAFETY: by the contract `run_grain` of this copy made it, and it is given back once.
    drop(unsafe { own(panic) });
}

/// # Safety
/// `panic` came from this copy's [`run_grain`] and is used no more.
unsafe fn own(panic: *mut ()) -> Box<Box<dyn Any + Send>> {
    // SAFETY: that is what `run_grain` made it of.
    unsafe { Box::from_raw(panic.cast()) }
}

impl Grains {
    /// Those of the object that holds `module`.
    pub(crate) fn of(module: &Module) -> Self {
        Self {
            run: module.run_grain,
            discard: module.discard,
        }
    }

    /// Runs `code` over `start..end`; the panic, if it ended in one. A panic of one language runtime
    /// cannot be caught by another, so it is caught in the object whose code panics.
    ///
    /// # Safety
    /// `code` is the object's own entry or body, the object stays mapped, and `args`, `start` and
    /// `end` are what that code may be called with.
    pub(crate) unsafe fn run(
        self,
        code: EntryFn,
        args: *const ArgBlock,
        start: u64,
        end: u64,
    ) -> Option<Panic> {
        // SAFETY: the caller vouches for the code, its object and its arguments.
        let raw = unsafe { (self.run)(code, args, start, end) };
        let discard = self.discard;
        NonNull::new(raw).map(|raw| Panic { raw, discard })
    }
}

/// A panic of some object's code; freed there on drop, while its call is still running.
#[derive(Debug)]
pub(crate) struct Panic {
    raw: NonNull<()>,
    discard: unsafe extern "C" fn(*mut ()),
}

// SAFETY: what it stands for is a `Box<dyn Any + Send>`, freed by a function that any thread may call.
unsafe impl Send for Panic {}

impl Panic {
    /// A panic of this copy's own code that another copy hands back.
    ///
    /// # Safety
    /// `raw` came from this copy's `run_grain` and is used no more.
    pub(crate) unsafe fn from_raw(raw: NonNull<()>) -> Self {
        let discard = OWN_GRAINS.discard;
        Self { raw, discard }
    }

    /// For the copy whose code panicked.
    pub(crate) fn into_raw(self) -> *mut () {
        let raw = self.raw.as_ptr();
        std::mem::forget(self);
        raw
    }

    /// Goes on panicking. Only for a panic of this copy's own code.
    pub(crate) fn resume(self) -> ! {
        debug_assert!(std::ptr::fn_addr_eq(self.discard, OWN_GRAINS.discard));
        // SAFETY: this copy's `run_grain` made it, and `into_raw` gives it up.
        let payload = unsafe { own(self.into_raw()) };
        resume_unwind(*payload)
    }
}

impl Drop for Panic {
    fn drop(&mut self) {
        // SAFETY: the payload is its object's and unused; the call that holds it keeps the object mapped.
        unsafe { (self.discard)(self.raw.as_ptr()) };
    }
}
