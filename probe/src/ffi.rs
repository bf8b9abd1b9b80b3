//! The C ABI; `include/hotsled.h` is made from this file.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Arc, OnceLock};

use hotsled_abi::TargetAddr;
use hotsled_patcher::{Options, PatchError, Patcher};
use parking_lot::Mutex;

use crate::{Adoption, FunctionId, Fuse, Layout, Module, ModuleError, ProbeError, Probes, Route};

/// What a call came to. Zero is success.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// A null pointer, or a number that is not allowed.
    Argument = 1,
    /// No loaded module contains the address.
    NotLoaded = 2,
    /// The module's file cannot be read, is not what is loaded, or has no table.
    File = 3,
    /// This system or processor lacks what patching needs.
    Unsupported = 4,
    /// Nothing was patched now: a debugger, a thread that blocks SIGTRAP, foreign bytes.
    Refused = 5,
    /// The function was not adopted.
    Unknown = 6,
    /// The caller is a fork of the process that adopted; a child never patches.
    Forked = 7,
    /// The kernel failed in the middle; calls stay correct, and the next session tries again.
    Interrupted = 8,
}

/// Leave sleds of several nops alone.
pub const HOTSLED_FUSE_REFUSE: u32 = 0;
/// Make one nop of several while the caller is the only thread; otherwise leave them alone.
pub const HOTSLED_FUSE_AT_LOAD: u32 = 1;

/// Called for each function that was left alone, with the reason; `context` is the caller's own.
pub type Refused =
    Option<extern "C" fn(function: *const c_void, reason: *const c_char, context: *mut c_void)>;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes the functions known that lie in the module of the address `inside` and were compiled with
/// `-fpatchable-function-entry=nops,before`. They run as before.
///
/// `fuse` is `HOTSLED_FUSE_REFUSE` or `HOTSLED_FUSE_AT_LOAD`. `each`, unless null, is called for every
/// function that was left alone, and must not call back into this library. `adopted`, unless null,
/// receives the number of functions adopted.
///
/// # Safety
/// The whole module was compiled with these numbers. With `HOTSLED_FUSE_AT_LOAD` the caller runs in no
/// signal handler, and no other process shares this one's memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotsled_probe_adopt(
    inside: *const c_void,
    nops: u16,
    before: u16,
    fuse: u32,
    each: Refused,
    context: *mut c_void,
    adopted: *mut usize,
) -> Status {
    let fuse = match fuse {
        HOTSLED_FUSE_REFUSE => Fuse::Refuse,
        HOTSLED_FUSE_AT_LOAD => Fuse::AtLoad,
        _ => return fail(Status::Argument, "fuse is neither of its two values"),
    };
    let Ok(layout) = Layout::new(nops, before) else {
        return fail(Status::Argument, "`before` leaves no nop behind the entry");
    };
    // SAFETY: the caller vouches for the numbers and for where it runs.
    match unsafe { adopt(inside as u64, layout, fuse) } {
        Ok(adoption) => {
            tell(&adoption, each, context);
            // SAFETY: the caller passes null or room for a size_t.
            if let Some(adopted) = unsafe { adopted.as_mut() } {
                *adopted = adoption.functions.len();
            }
            Status::Ok
        }
        Err(error) => failed(&error),
    }
}

/// Counts the calls of `function` from now on.
#[unsafe(no_mangle)]
pub extern "C" fn hotsled_probe_count(function: *const c_void) -> Status {
    done(with(function, |probes, id| probes.count(&[id]).map(drop)))
}

/// Sends the calls of `function` to `replacement` from now on.
///
/// # Safety
/// `replacement` has the signature of `function` and stays loaded. Where `function` is called within
/// its own file and gcc compiled that, build with `-fno-ipa-ra`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotsled_probe_replace(
    function: *const c_void,
    replacement: *const c_void,
) -> Status {
    if replacement.is_null() {
        return fail(Status::Argument, "the replacement is null");
    }
    let route = Route::Replaced(TargetAddr::new(replacement as u64));
    done(with(function, |probes, id| {
        // SAFETY: the caller vouches for the replacement.
        unsafe { probes.route(&[(id, route)]) }.map(drop)
    }))
}

/// Lets `function` run as it was compiled.
#[unsafe(no_mangle)]
pub extern "C" fn hotsled_probe_restore(function: *const c_void) -> Status {
    done(with(function, |probes, id| probes.restore(&[id]).map(drop)))
}

/// Stores how many calls of `function` were counted.
///
/// # Safety
/// `calls` is null or has room for the number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotsled_probe_calls(function: *const c_void, calls: *mut u64) -> Status {
    let counted = with(function, |probes, id| Ok(probes.calls(id).unwrap_or(0)));
    // SAFETY: the caller passes null or room.
    unsafe { store(counted, calls) }
}

/// Stores the address of code that runs `function` whatever its sled holds, for replacements to call.
///
/// # Safety
/// `original` is null or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotsled_probe_original(
    function: *const c_void,
    original: *mut *const c_void,
) -> Status {
    let address = with(function, |probes, id| {
        let original = probes.original(id).ok_or(ProbeError::Unknown(id))?;
        Ok(original.get() as *const c_void)
    });
    // SAFETY: the caller passes null or room.
    unsafe { store(address, original) }
}

/// What a status means, in English; never null, and never to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn hotsled_probe_message(status: c_int) -> *const c_char {
    let message = match status {
        0 => c"done",
        1 => c"a null pointer, or a number that is not allowed",
        2 => c"no loaded module contains the address",
        3 => c"the module's file cannot be read, is not what is loaded, or has no table",
        4 => c"this system or processor lacks what patching needs",
        5 => c"nothing was patched: a debugger, a blocked SIGTRAP or foreign bytes",
        6 => c"the function was not adopted",
        7 => c"a fork of the process that adopted never patches",
        8 => c"the kernel failed in the middle; calls stay correct",
        _ => c"no status of hotsled",
    };
    message.as_ptr()
}

/// Copies what the calling thread's last failure was in detail, cut to `len` bytes with the final zero,
/// and returns its whole length without that.
///
/// # Safety
/// `buffer` is null or has room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotsled_probe_last_error(buffer: *mut c_char, len: usize) -> usize {
    LAST.with_borrow(|last| {
        if !buffer.is_null() && len > 0 {
            let cut = last.len().min(len - 1);
            // SAFETY: the caller has room for `len` bytes, of which `cut` and a zero are used.
            let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), cut + 1) };
            buffer[..cut].copy_from_slice(&last.as_bytes()[..cut]);
            buffer[cut] = 0;
        }
        last.len()
    })
}

static PROBES: OnceLock<Probes> = OnceLock::new();

/// The one set of probes that C callers share, made when first wanted.
fn probes() -> Result<&'static Probes, ProbeError> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock();
    if let Some(probes) = PROBES.get() {
        return Ok(probes);
    }
    let patcher = Patcher::new(Options::default())?;
    let probes = Probes::new(Arc::new(patcher))?;
    Ok(PROBES.get_or_init(|| probes))
}

/// # Safety
/// As for [`Probes::adopt`].
unsafe fn adopt(inside: u64, layout: Layout, fuse: Fuse) -> Result<Adoption, ProbeError> {
    let module = Module::containing(inside)?;
    // SAFETY: the caller vouches for all of it.
    unsafe { probes()?.adopt(&module, layout, fuse) }
}

fn tell(adoption: &Adoption, each: Refused, context: *mut c_void) {
    let Some(each) = each else { return };
    for refusal in &adoption.refused {
        let reason = CString::new(refusal.to_string().replace('\0', "")).unwrap_or_default();
        each(
            refusal.function.get() as *const c_void,
            reason.as_ptr(),
            context,
        );
    }
}

/// `None` for a function that nobody adopted.
fn with<T>(
    function: *const c_void,
    run: impl FnOnce(&Probes, FunctionId) -> Result<T, ProbeError>,
) -> Option<Result<T, ProbeError>> {
    let probes = PROBES.get()?;
    let id = probes.at(function as u64)?;
    Some(run(probes, id))
}

fn done(outcome: Option<Result<(), ProbeError>>) -> Status {
    match outcome {
        None => fail(Status::Unknown, "the function was not adopted"),
        Some(Err(error)) => failed(&error),
        Some(Ok(())) => Status::Ok,
    }
}

/// # Safety
/// `room` is null or has room for a value.
unsafe fn store<T>(outcome: Option<Result<T, ProbeError>>, room: *mut T) -> Status {
    let outcome = outcome.map(|o| {
        o.map(|value| {
            // SAFETY: the caller passes null or room.
            if let Some(room) = unsafe { room.as_mut() } {
                *room = value;
            }
        })
    });
    done(outcome)
}

fn failed(error: &ProbeError) -> Status {
    let status = match error {
        ProbeError::Module(ModuleError::NotLoaded { .. }) => Status::NotLoaded,
        ProbeError::Module(_) => Status::File,
        ProbeError::Unknown(_) => Status::Unknown,
        ProbeError::Patch(error) => of_patch(error),
        ProbeError::Gates(_) | ProbeError::Memory(_) | ProbeError::Processor => Status::Unsupported,
    };
    fail(status, &error.to_string())
}

fn of_patch(error: &PatchError) -> Status {
    match error {
        PatchError::Forked { .. } => Status::Forked,
        PatchError::Interrupted { .. } => Status::Interrupted,
        PatchError::Barrier(_)
        | PatchError::WritePath(_)
        | PatchError::NoWritePath { .. }
        | PatchError::Alias(_)
        | PatchError::Handler(_)
        | PatchError::ForkHooks(_)
        | PatchError::Proc(_) => Status::Unsupported,
        _ => Status::Refused,
    }
}

fn fail(status: Status, detail: &str) -> Status {
    LAST.set(detail.to_owned());
    status
}
