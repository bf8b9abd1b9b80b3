//! The SIGTRAP side: what a thread does that meets a sled while it is being rewritten.
//!
//! # Safety
//! [`on_trap`] runs in signal context: it neither allocates, frees, locks nor panics, and reads only
//! tables that were published whole and are never freed.

use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use hotsled_abi::{SLED_LEN, SiteAddr, TargetAddr};
use hotsled_sys::map::Mapping;
use hotsled_sys::page::PageLen;
use hotsled_sys::signal::{self, Action};

use crate::Want;

/// Code the kernel gives a SIGTRAP from `int3`.
const SI_KERNEL: i32 = 0x80;

/// A site as the handler knows it, for ever.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub address: SiteAddr,
    pub target: TargetAddr,
    /// [`Want`] as a number; a thread at an int3 goes where this says.
    pub want: &'static AtomicU8,
}

/// Every site ever adopted, by ascending address. Published tables are never freed, because a
/// handler may still be reading one.
struct Table {
    owner: i32,
    /// Reads 1 in the owner and 0 in every fork of it, also where pids repeat (a new pid namespace).
    alive: &'static AtomicU8,
    sites: Vec<Known>,
}

/// One byte that the kernel clears in every child (MADV_WIPEONFORK).
pub(crate) fn owner_mark() -> std::io::Result<&'static AtomicU8> {
    let page = Mapping::anonymous(PageLen::holding(1))?;
    page.wipe_on_fork()?;
    // SAFETY: the page is zeroed, never unmapped, and reached only through this atomic.
    let mark = unsafe { AtomicU8::from_ptr(page.leak()) };
    mark.store(1, Ordering::Release);
    Ok(mark)
}

static TABLE: AtomicPtr<Table> = AtomicPtr::new(std::ptr::null_mut());
static PREVIOUS: AtomicPtr<Action> = AtomicPtr::new(std::ptr::null_mut());

/// Makes `sites` the table of process `owner`. They must be sorted and include all earlier ones.
pub(crate) fn publish(owner: i32, alive: &'static AtomicU8, sites: Vec<Known>) {
    debug_assert!(sites.is_sorted_by_key(|s| s.address));
    let table = Box::leak(Box::new(Table {
        owner,
        alive,
        sites,
    }));
    // Release pairs with the Acquire in `route`: a handler sees whole tables only.
    TABLE.store(table, Ordering::Release);
}

/// Installs the handler and remembers what was there, for chaining.
pub(crate) fn install() -> std::io::Result<()> {
    // SAFETY: `on_trap` is async-signal-safe (module documentation).
    let previous = unsafe { signal::install(libc::SIGTRAP, &Action::handler(on_trap)) }?;
    if previous.address() != on_trap as *const () as usize {
        PREVIOUS.store(Box::leak(Box::new(previous)), Ordering::Release);
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
    // SAFETY: published tables are valid and never freed.
    let table = unsafe { TABLE.load(Ordering::Acquire).as_ref() }?;
    let at = table
        .sites
        .binary_search_by_key(&address, |s| s.address.get())
        .ok()?;
    let site = &table.sites[at];
    let jump = site.want.load(Ordering::Acquire) == Want::Jump as u8;
    let owner = table.alive.load(Ordering::Acquire) == 1 && hotsled_sys::pid() == table.owner;
    if jump && owner {
        Some(site.target.get())
    } else {
        Some(address + SLED_LEN as u64)
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
        Some(next) => *rip = next as i64,
        None => chain(signal, code, info, context),
    }
}

/// Hands a trap that is not ours to whoever was there before.
fn chain(signal: i32, code: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the stored action is leaked, hence valid for ever.
    let Some(previous) = (unsafe { PREVIOUS.load(Ordering::Acquire).as_ref() }) else {
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

/// The default action of SIGTRAP: the signal stays pending until this handler returns, then kills.
fn die(signal: i32) {
    // SAFETY: the default action runs no handler.
    let _ = unsafe { signal::install(signal, &Action::default_action()) };
    // SAFETY: raise is async-signal-safe.
    unsafe { libc::raise(signal) };
}
