//! The SIGTRAP side: what a thread does that meets a sled while it is being rewritten.
//!
//! # Safety
//! [`on_trap`] runs in signal context: it neither allocates, frees, locks nor panics, and reads only
//! tables that were published whole and are never freed.

use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use hotsled_sys::signal::{self, Action};

use crate::{Want, owner, sites};

/// Code the kernel gives a SIGTRAP from `int3`.
const SI_KERNEL: i32 = 0x80;

/// What handled SIGTRAP before the patcher came.
static FIRST: AtomicPtr<Action> = AtomicPtr::new(std::ptr::null_mut());
/// What handled it when the handler was installed last.
static PREVIOUS: AtomicPtr<Action> = AtomicPtr::new(std::ptr::null_mut());
static EMULATED: AtomicU64 = AtomicU64::new(0);

/// Calls so far that met a breakpoint at a site and were sent on.
pub(crate) fn emulated() -> u64 {
    EMULATED.load(Ordering::Relaxed)
}

/// Installs the handler and remembers what was there, for chaining.
///
/// It nests: a handler that it hands a trap on to may meet a breakpoint; were SIGTRAP blocked then, the kernel
/// would kill the process. What others send waits meanwhile, since the alternate stack may be small.
pub(crate) fn install() -> std::io::Result<()> {
    let action = Action::nesting_handler(on_trap);
    // SAFETY: `on_trap` is async-signal-safe (module documentation).
    let previous = unsafe { signal::install(libc::SIGTRAP, &action) }?;
    if previous.address() != on_trap as *const () as usize {
        let previous = std::ptr::from_mut(Box::leak(Box::new(previous)));
        let none = std::ptr::null_mut();
        // Only the first time is there nothing yet.
        let _ = FIRST.compare_exchange(none, previous, Ordering::AcqRel, Ordering::Acquire);
        PREVIOUS.store(previous, Ordering::Release);
    }
    Ok(())
}

/// Address of whatever handles SIGTRAP now, and whether that is us.
pub(crate) fn installed() -> std::io::Result<(usize, bool)> {
    let now = signal::current(libc::SIGTRAP)?.address();
    Ok((now, now == on_trap as *const () as usize))
}

/// Where a thread continues that executed the byte at `address`, if that is a site.
///
/// In a fork of the owner the answer is always "after the nop": the child runs CPU code, whatever
/// bytes the fork caught.
fn route(address: u64) -> Option<u64> {
    let (site, want) = sites::find(address)?;
    if want == Want::Jump && owner::is_here() {
        Some(site.target().get())
    } else {
        Some(site.after())
    }
}

extern "C" fn on_trap(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let ucontext = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid siginfo to SA_SIGINFO handlers.
    let code = unsafe { (*info).si_code };
    // SAFETY: the kernel passes a valid ucontext to SA_SIGINFO handlers.
    let rip = unsafe { &mut (*ucontext).uc_mcontext.gregs[libc::REG_RIP as usize] };
    let trapped = if code == SI_KERNEL {
        route((*rip as u64).wrapping_sub(1))
    } else {
        None
    };
    match trapped {
        Some(next) => {
            EMULATED.fetch_add(1, Ordering::Relaxed);
            *rip = next as i64;
        }
        None => chain(signal, code, info, context),
    }
}

/// Threads that are handing a trap on.
static HANDING_ON: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

/// A thread's entry in [`HANDING_ON`]; none where the places are all taken.
struct Turn(Option<&'static AtomicI32>);

impl Turn {
    /// `None` when the calling thread has one already: what it handed the trap to has handed it back.
    fn take() -> Option<Self> {
        let own = hotsled_sys::tid();
        if HANDING_ON.iter().any(|t| t.load(Ordering::Relaxed) == own) {
            return None;
        }
        let (taken, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        let free = |t: &&AtomicI32| t.compare_exchange(0, own, taken, failed).is_ok();
        Some(Self(HANDING_ON.iter().find(free)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.store(0, Ordering::Relaxed);
        }
    }
}

/// Hands a trap that is not ours to whoever was there before.
///
/// Where the handler was replaced and installed anew, that is the one who replaced it; should he hand the
/// trap back to us, it goes to the one who was there first, and not round again.
fn chain(signal: i32, code: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let turn = Turn::take();
    let to = if turn.is_some() { &PREVIOUS } else { &FIRST };
    // SAFETY: the stored action is leaked, hence valid for ever.
    let Some(previous) = (unsafe { to.load(Ordering::Acquire).as_ref() }) else {
        return;
    };
    match previous.address() {
        libc::SIG_IGN if code != SI_KERNEL => {}
        libc::SIG_DFL | libc::SIG_IGN => die(signal),
        address if previous.takes_info() => {
            // SAFETY: SA_SIGINFO says the address is a handler of this signature.
            let handler = unsafe { std::mem::transmute::<usize, signal::Handler>(address) };
            handler(signal, info, context);
        }
        address => {
            // SAFETY: without SA_SIGINFO the address is a handler that takes the number alone.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(i32)>(address) };
            handler(signal);
        }
    }
}

/// The default action of SIGTRAP, which kills.
fn die(signal: i32) {
    // SAFETY: the default action runs no handler.
    let _ = unsafe { signal::install(signal, &Action::default_action()) };
    // SAFETY: raise is async-signal-safe.
    unsafe { libc::raise(signal) };
}
