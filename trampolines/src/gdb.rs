//! Names for gdb, by its interface for code that is made at run time: a list of ELF files in memory, and
//! a function that the debugger stops at when the list changes.

use std::arch::global_asm;
use std::ptr::null_mut;
use std::sync::Mutex;

use crate::{Symbol, elf};

// The names are gdb's. Weak, since other code generators in the program define them, too; all then use
// one list.
global_asm!(
    ".pushsection .text.__jit_debug_register_code,\"ax\",@progbits",
    ".weak __jit_debug_register_code",
    ".type __jit_debug_register_code,@function",
    "__jit_debug_register_code:",
    ".cfi_startproc",
    "ret",
    ".cfi_endproc",
    ".size __jit_debug_register_code, . - __jit_debug_register_code",
    ".popsection",
    ".pushsection .data.__jit_debug_descriptor,\"aw\",@progbits",
    ".balign 8",
    ".weak __jit_debug_descriptor",
    ".type __jit_debug_descriptor,@object",
    "__jit_debug_descriptor:",
    ".long 1, 0",
    ".quad 0, 0",
    ".size __jit_debug_descriptor, . - __jit_debug_descriptor",
    ".popsection",
);

unsafe extern "C" {
    fn __jit_debug_register_code();
    static mut __jit_debug_descriptor: Descriptor;
}

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

#[repr(C)]
struct Entry {
    next: *mut Entry,
    prev: *mut Entry,
    file: *const u8,
    len: u64,
}

/// `JIT_REGISTER_FN` of gdb's manual.
const REGISTER: u32 = 1;

static LIST: Mutex<()> = Mutex::new(());

/// Makes symbols known to a debugger that is attached, or will be, for the rest of the process's life.
pub fn register(symbols: &[Symbol]) {
    if symbols.is_empty() {
        return;
    }
    let file = elf::file(symbols).leak();
    let _one = LIST.lock().unwrap_or_else(|e| e.into_inner());
    let list = &raw mut __jit_debug_descriptor;
    // SAFETY: the interface's own static, valid for ever; the lock keeps our other threads out.
    let list = unsafe { &mut *list };
    let entry = Box::into_raw(Box::new(Entry {
        next: list.first,
        prev: null_mut(),
        file: file.as_ptr(),
        len: file.len() as u64,
    }));
    // SAFETY: what is in the list is valid; whoever frees an entry takes it out before.
    if let Some(first) = unsafe { list.first.as_mut() } {
        first.prev = entry;
    }
    (list.first, list.relevant, list.action) = (entry, entry, REGISTER);
    // SAFETY: the interface's function does nothing but be stopped at.
    unsafe { __jit_debug_register_code() };
}
