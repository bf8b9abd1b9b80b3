//! The contract between copies of the crate `hotsled` in one process.
//!
//! Every module that is linked (a program, a shared object) holds its own copy. One of them runs the
//! engine; the others join it. They may be of different versions and compilers, so all that passes
//! between them is here, in C's layout.

use core::sync::atomic::{AtomicPtr, AtomicU32};

use crate::{ArgBlock, ArgSlot, EntryFn};

/// Version of everything in this file, of [`ArgBlock`] and of the site row. Copies of different
/// versions do not join.
pub const CONTRACT_VERSION: u32 = 1;

/// Mapped, but perhaps not relocated: its pointers may be anything.
pub const MAPPED: u32 = 0;
/// Relocated, and not about to be unmapped.
pub const READY: u32 = 1;
/// About to be unmapped.
pub const LEAVING: u32 = 2;

/// The part of a [`Module`] that keeps its form in every version.
#[repr(C)]
#[derive(Debug)]
pub struct ModuleHead {
    /// [`CONTRACT_VERSION`] of the copy.
    pub version: u32,
    /// Bytes of its [`Module`].
    pub size: u32,
    /// Set once, by the copy that runs the engine of the process; null in all others.
    pub engine: AtomicPtr<EngineTable>,
}

/// What one copy shows the others; its note leads to it.
#[repr(C)]
#[derive(Debug)]
pub struct Module {
    /// The same in every version.
    pub head: ModuleHead,
    /// Set by the engine when it has taken this copy's sections; null: the copy runs them itself.
    pub joined: AtomicPtr<EngineTable>,
    /// Where the loader is with the object: [`MAPPED`], [`READY`] or [`LEAVING`].
    pub stage: AtomicU32,
    /// Gives the section of `cell` (a site row's) its number and returns its flags.
    pub enrol: unsafe extern "C" fn(cell: *const (), number: u32) -> u32,
    /// Runs `code` over a grain in the object's own language runtime; null, or the panic it ended in.
    pub run_grain:
        unsafe extern "C" fn(code: EntryFn, args: *const ArgBlock, start: u64, end: u64) -> *mut (),
    /// Frees a panic that nobody will see.
    pub discard: unsafe extern "C" fn(panic: *mut ()),
}

/// What the engine offers the copies that join it; they are of its version. Valid for the rest of the
/// process's life.
#[repr(C)]
#[derive(Debug)]
pub struct EngineTable {
    /// The object that holds `module` has been loaded, and stays so for this call.
    pub loaded: unsafe extern "C" fn(module: *const Module),
    /// The object that holds `module` is about to be unmapped; nothing of it is used after the return.
    pub unloading: unsafe extern "C" fn(module: *const Module),
    /// Runs section `number` over `start..end`; null, or the panic with the lowest index.
    pub run: unsafe extern "C" fn(
        number: u32,
        slots: *const ArgSlot,
        len: usize,
        start: u64,
        end: u64,
    ) -> *mut (),
}
