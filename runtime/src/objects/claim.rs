//! Which copy of the crate runs the process's engine.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use hotsled_abi::{CONTRACT_VERSION, EngineTable};
use hotsled_sys::modules::{self, Module as Mapped};

use crate::error::{Error, Result};
use crate::module::MODULE;

/// Makes this copy the one that runs the process's engine, for good.
///
/// # Errors
/// Another copy is that one already; or this copy's object cannot be kept mapped.
pub(crate) fn claim() -> Result<()> {
    let own = modules::holding(&raw const MODULE as u64).expect("this code is loaded");
    own.pin().map_err(Error::Memory)?;
    modules::exclusive(|| {
        if let Some((object, version)) = find_engine().map(|e| (e.object, e.version)) {
            return Err(Error::EngineElsewhere { object, version });
        }
        let table = (&raw const super::table::TABLE).cast_mut();
        MODULE.head.engine.store(table, Ordering::Release);
        super::own();
        Ok(())
    })
}

/// An engine that another copy runs.
struct Elsewhere {
    object: String,
    version: u32,
    table: *const EngineTable,
}

fn find_engine() -> Option<Elsewhere> {
    let mut found = None;
    modules::each(|object| {
        found = engine_in(&object);
        match found {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    });
    found
}

fn engine_in(object: &Mapped) -> Option<Elsewhere> {
    let noted = super::read::note(object).ok()??;
    let head = noted.head().ok()?;
    let table = head.engine.load(Ordering::Acquire).cast_const();
    let other = !std::ptr::eq(head, &MODULE.head) && !table.is_null();
    other.then(|| Elsewhere {
        object: super::path(object),
        version: head.version,
        table,
    })
}

/// The engine that this copy can join.
pub(crate) fn engine_of_another_copy() -> Option<&'static EngineTable> {
    let engine = find_engine().filter(|e| e.version == CONTRACT_VERSION)?;
    // SAFETY: a copy of this contract published the table; its object is pinned, so it lives for ever.
    unsafe { engine.table.as_ref() }
}
