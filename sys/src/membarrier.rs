//! Barriers that run on every core of this process (membarrier(2)).

use std::arch::x86_64::__cpuid;
use std::io;

const QUERY: libc::c_int = 0;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
const PRIVATE_EXPEDITED_SYNC_CORE: libc::c_int = 1 << 5;
const REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: libc::c_int = 1 << 6;

/// Evidence that both barriers are registered for this process; nothing else can issue one.
#[derive(Clone, Copy, Debug)]
pub struct Barriers(());

impl Barriers {
    /// Registers this process. Doing so again is harmless.
    ///
    /// # Errors
    /// Fails closed where the kernel lacks either barrier or a filter forbids the call.
    pub fn register() -> io::Result<Self> {
        let known = call(QUERY)?;
        let needed = PRIVATE_EXPEDITED | PRIVATE_EXPEDITED_SYNC_CORE;
        if known & needed != needed {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        call(REGISTER_PRIVATE_EXPEDITED)?;
        call(REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)?;
        Ok(Self(()))
    }

    /// Every running thread of this process executes a core-serialising instruction before this
    /// returns, the calling thread included; threads not running do so before they run user code.
    ///
    /// # Errors
    /// What membarrier(2) reports.
    pub fn sync_cores(self) -> io::Result<()> {
        call(PRIVATE_EXPEDITED_SYNC_CORE)?;
        // Kernels before 5.11 left the caller out; CPUID serialises it (Intel SDM vol. 3, 9.3).
        let _ = __cpuid(0);
        Ok(())
    }

    /// Every running thread of this process passes a full memory barrier before this returns.
    ///
    /// # Errors
    /// What membarrier(2) reports.
    pub fn order_memory(self) -> io::Result<()> {
        call(PRIVATE_EXPEDITED).map(drop)
    }
}

fn call(command: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: membarrier takes a command, flags and a cpu number, and touches no user memory.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    crate::check(result as libc::c_int)
}
