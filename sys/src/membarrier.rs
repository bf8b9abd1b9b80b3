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
pub struct Barriers {
    /// Whether the kernel's barrier leaves out the core that asks for it.
    skips_caller: bool,
}

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
        Ok(Self {
            skips_caller: release()? < CALLER_INCLUDED,
        })
    }

    /// Every running thread of this process executes a core-serialising instruction before this
    /// returns, the calling thread included; threads not running do so before they run user code.
    ///
    /// # Errors
    /// What membarrier(2) reports.
    pub fn sync_cores(self) -> io::Result<()> {
        call(PRIVATE_EXPEDITED_SYNC_CORE)?;
        if self.skips_caller {
            let _ = __cpuid(0); // serialises; slow in a virtual machine, where it leaves the guest
        }
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

/// First kernel whose SYNC_CORE includes the caller on every path.
const CALLER_INCLUDED: (u32, u32) = (5, 11);

/// Version of the running kernel.
fn release() -> io::Result<(u32, u32)> {
    let mut name = std::mem::MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: `name` has room for one struct utsname.
    crate::check(unsafe { libc::uname(name.as_mut_ptr()) })?;
    // SAFETY: uname succeeded and has filled it.
    let name = unsafe { name.assume_init() };
    let digits = name.release.iter().map(|&c| c as u8 as char);
    Ok(version(&digits.collect::<String>()))
}

/// The first two numbers of a release such as `6.18.44-cloud`; what is not a number counts as 0.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn call(command: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: membarrier takes a command, flags and a cpu number, and touches no user memory.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    crate::check(result as libc::c_int)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_any_vendor_are_read() {
        assert_eq!(version("6.18.44-fc\0\0"), (6, 18));
        assert_eq!((version("5.10-rc1"), version("odd")), ((5, 10), (0, 0)));
    }
}
