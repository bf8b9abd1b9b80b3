//! Takes rights away from the calling process, as sandboxes do. For processes of their own.

use libc::{c_long, c_uint, sock_filter};

/// PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN, from linux/prctl.h.
pub fn refuse_exec_gain() {
    const PR_SET_MDWE: i32 = 65;
    // SAFETY: sets a flag of this process.
    assert_eq!(unsafe { libc::prctl(PR_SET_MDWE, 1, 0, 0, 0) }, 0);
}

/// No capability is left, effective, permitted or inheritable.
pub fn drop_capabilities() {
    // _LINUX_CAPABILITY_VERSION_3, from linux/capability.h.
    let header = [0x2008_0522_u32, 0];
    let none = [0_u32; 6];
    // SAFETY: header and data have the layout that capset(2) reads.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(result, 0);
}

/// `number` fails with EPERM from now on.
pub fn deny(number: c_long) {
    filter(&[
        load(0),
        jump_unless_equal(number as u32, 1),
        refuse(),
        allow(),
    ]);
}

/// As systemd's MemoryDenyWriteExecute: no mapping that is writable and executable, and none that becomes
/// executable later.
pub fn deny_write_execute() {
    const PROTECTION: u32 = 16 + 2 * 8; // third argument in struct seccomp_data
    let both = (libc::PROT_WRITE | libc::PROT_EXEC) as u32;
    filter(&[
        load(0),
        jump_unless_equal(libc::SYS_mmap as u32, 5),
        load(PROTECTION),
        mask(both),
        jump_unless_equal(both, 1),
        refuse(),
        allow(),
        jump_unless_equal(libc::SYS_mprotect as u32, 5),
        load(PROTECTION),
        mask(libc::PROT_EXEC as u32),
        jump_unless_equal(libc::PROT_EXEC as u32, 1),
        refuse(),
        allow(),
        allow(),
    ]);
}

/// The calling thread sees no `/proc`: unmounted for it where we are root, else unreachable by a filter.
pub fn lose_proc() {
    // SAFETY: gives the calling thread mounts of its own.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return deny(libc::SYS_openat);
    }
    let (none, private) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: constant strings; affects the mounts made above alone.
    let made = unsafe { libc::mount(none, c"/".as_ptr(), none, private, none.cast()) };
    assert_eq!(made, 0);
    // SAFETY: as above.
    let unmounted = unsafe { libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) };
    assert_eq!(unmounted, 0);
}

fn statement(code: c_uint, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn mask(bits: u32) -> sock_filter {
    statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, bits)
}

fn jump_unless_equal(value: u32, skip: u8) -> sock_filter {
    sock_filter {
        jf: skip,
        ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value)
    }
}

fn refuse() -> sock_filter {
    statement(
        libc::BPF_RET | libc::BPF_K,
        libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
    )
}

fn allow() -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW)
}

fn filter(program: &[sock_filter]) {
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: sets a flag of this process.
    let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(set, 0);
    let (mode, flags) = (
        libc::SECCOMP_SET_MODE_FILTER,
        libc::SECCOMP_FILTER_FLAG_TSYNC,
    );
    // SAFETY: the program is valid for the call; it is copied.
    let set = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    assert_eq!(set, 0);
}
