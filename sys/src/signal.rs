//! Signal actions and masks.

use std::io;
use std::mem::MaybeUninit;

/// Signature of a handler that takes the interrupted context.
pub type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// What is done on a signal, as the kernel keeps it.
#[derive(Clone, Copy)]
pub struct Action(libc::sigaction);

impl Action {
    /// Runs `handler` on the alternate stack where there is one, restarting system calls.
    pub fn handler(handler: Handler) -> Self {
        // SAFETY: all-zero is a valid sigaction: default action, empty mask, no flags.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        Self(action)
    }

    /// As [`Self::handler`], for what the thread's own instructions raise: it may interrupt itself, and
    /// nothing that others send interrupts it, so that few frames pile up on a small alternate stack.
    pub fn nesting_handler(handler: Handler) -> Self {
        let mut action = Self::handler(handler);
        action.0.sa_flags |= libc::SA_NODEFER;
        action.0.sa_mask = sent();

        action
    }

    /// The default action.
    pub fn default_action() -> Self {
        // SAFETY: all-zero is a valid sigaction: default action, empty mask, no flags.
        Self(unsafe { MaybeUninit::zeroed().assume_init() })
    }

    /// Address of the handler, or the kernel's marks for default and ignore.
    pub fn address(&self) -> usize {
        self.0.sa_sigaction
    }

    /// Whether the handler takes three arguments.
    pub fn takes_info(&self) -> bool {
        self.0.sa_flags & libc::SA_SIGINFO != 0
    }
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Action({:#x})", self.address())
    }
}

/// Installs `action` for `signal` and returns what was there.
///
/// # Errors
/// What sigaction(2) reports.
///
/// # Safety
/// A handler in `action` must be async-signal-safe.
pub unsafe fn install(signal: libc::c_int, action: &Action) -> io::Result<Action> {
    let mut old = MaybeUninit::uninit();
    // SAFETY: both pointers are to a sigaction; the caller vouches for the handler.
    crate::check(unsafe { libc::sigaction(signal, &action.0, old.as_mut_ptr()) })?;
    // SAFETY: sigaction succeeded and has filled it.
    Ok(Action(unsafe { old.assume_init() }))
}

/// What is installed for `signal`.
///
/// # Errors
/// What sigaction(2) reports.
pub fn current(signal: libc::c_int) -> io::Result<Action> {
    let mut old = MaybeUninit::uninit();
    // SAFETY: a null new action only asks; `old` has room for the answer.
    crate::check(unsafe { libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr()) })?;
    // SAFETY: sigaction succeeded and has filled it.
    Ok(Action(unsafe { old.assume_init() }))
}

/// Signals that an instruction of the thread itself raises; a thread that blocks one is killed by it.
const SYNCHRONOUS: [libc::c_int; 5] = [
    libc::SIGTRAP,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
];

/// Whether the calling thread blocks `signal`.
pub fn is_blocked(signal: libc::c_int) -> bool {
    let mut set = MaybeUninit::uninit();
    // SAFETY: without a new set the mask is only read; `set` has room for it.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr()) };
    // SAFETY: pthread_sigmask cannot fail with these arguments and has filled it.
    let set = unsafe { set.assume_init() };
    // SAFETY: the set is initialised.
    unsafe { libc::sigismember(&raw const set, signal) == 1 }
}

/// Keeps signals from the calling thread until dropped.
#[derive(Debug)]
#[must_use = "signals are unblocked when this is dropped"]
pub struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    /// Blocks every signal that can be blocked.
    pub fn all() -> Self {
        Self::set(&full())
    }

    /// Blocks what others send; what the thread's own instructions raise still reaches it.
    pub fn sent() -> Self {
        Self::set(&sent())
    }

    fn set(set: &libc::sigset_t) -> Self {
        let mut before = MaybeUninit::uninit();
        // SAFETY: `set` is initialised; `before` has room for one set.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set, before.as_mut_ptr()) };
        // SAFETY: pthread_sigmask cannot fail with these arguments and has filled it.
        let before = unsafe { before.assume_init() };
        Self { before }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}

/// What others send.
fn sent() -> libc::sigset_t {
    let mut set = full();
    for signal in SYNCHRONOUS {
        // SAFETY: the set is initialised and the number is a signal's.
        unsafe { libc::sigdelset(&mut set, signal) };
    }
    set
}

fn full() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    // SAFETY: `all` has room for one set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: sigfillset cannot fail with a valid pointer and has filled it.
    unsafe { all.assume_init() }
}
