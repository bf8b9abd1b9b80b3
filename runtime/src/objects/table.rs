//! What this copy's engine offers the copies that join it.

use std::ptr::null_mut;

use hotsled_abi::{ArgSlot, EngineTable, Module, SiteId};

use crate::module::Panic;
use crate::{call, section};

pub(super) static TABLE: EngineTable = EngineTable {
    loaded,
    unloading,
    run,
};

unsafe extern "C" fn loaded(module: *const Module) {
    super::load(module);
}

unsafe extern "C" fn unloading(module: *const Module) {
    super::unload(module);
}

unsafe extern "C" fn run(
    number: u32,
    slots: *const ArgSlot,
    len: usize,
    start: u64,
    end: u64,
) -> *mut () {
    let section = section::by_site(SiteId(number)).expect("the engine numbered its sections");
    // SAFETY: the caller passes the slots of a call of this section, which outlive this.
    let slots = unsafe { std::slice::from_raw_parts(slots, len) };
    let panic = call::run(section.cell, slots, start..end);
    panic.map_or(null_mut(), Panic::into_raw)
}
