//! The objects of the process that hold sections. `README.md` beside this file has states, steps and
//! the argument why nothing of an unloaded object is ever used.

mod claim;
mod fault;
mod read;
mod table;

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hotsled_abi::{EntryFn, Module};
use hotsled_sys::modules::{self, Changes, Module as Mapped};

pub(crate) use claim::{claim, engine_of_another_copy};
pub use fault::ObjectFault;

use crate::cell::SectionCell;
use crate::error::{Error, Result};
use crate::module::{Grains, MODULE};
use crate::section::{self, New, Section};
use crate::switch::Switch;
use read::{Found, Noted};

/// One object that carries a note.
pub(crate) struct Object {
    pub path: String,
    pub build_id: String,
    pub base: u64,
    /// Address of its module; names the object to the engine while it is loaded.
    module: u64,
    pub sections: Vec<&'static Section>,
    /// Why its sections stay on the CPU.
    pub fault: Option<Arc<ObjectFault>>,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub loaded: bool,
    pub path: String,
    pub sites: u64,
    /// Why its sections stay on the CPU.
    pub fault: Option<Arc<ObjectFault>>,
}

type Listener = Arc<dyn Fn(Change) + Send + Sync>;

/// Written when an object comes or goes; read for as long as sites must stay. `README.md` has the rules of
/// its lock, which is the standard library's because that one uses no thread-local.
struct Registry {
    objects: Vec<Object>,
    seen: Option<Changes>,
    pins: Vec<String>,
    listener: Option<Listener>,
}

static REGISTRY: RwLock<Registry> = RwLock::new(Registry {
    objects: Vec::new(),
    seen: None,
    pins: Vec::new(),
    listener: None,
});

fn read() -> RwLockReadGuard<'static, Registry> {
    prepare_thread();
    REGISTRY.read().unwrap_or_else(PoisonError::into_inner)
}

fn write() -> RwLockWriteGuard<'static, Registry> {
    prepare_thread();
    REGISTRY.write().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the thread-local that the patcher's locks use when they wait. To register its destructor libc
/// takes the loader's lock, which must not happen under the registry's: the thread that loads or unloads an
/// object holds the loader's lock and waits for the registry's.
fn prepare_thread() {
    let (never, condvar) = (parking_lot::Mutex::new(()), parking_lot::Condvar::new());
    condvar.wait_for(&mut never.lock(), std::time::Duration::ZERO);
}

/// The process whose objects these are; a fork of it registers nothing and takes none of the locks.
static OWNER: AtomicI32 = AtomicI32::new(0);

fn own() {
    OWNER.store(hotsled_sys::pid(), Ordering::Release);
}

fn is_owner() -> bool {
    hotsled_sys::pid() == OWNER.load(Ordering::Acquire)
}

/// Tells `listener` of every change from now on.
pub(crate) fn listen(listener: Option<Listener>) {
    write().listener = listener;
}

/// Keeps sections on the CPU by their path or the end of it, now and when they come.
pub(crate) fn pin(names: &[String]) {
    write().pins = names.to_vec();
    section::live().for_each(|s| pin_one(s, names));
}

fn pin_one(section: &Section, names: &[String]) {
    let named = |pin: &String| section.path == *pin || section.path.ends_with(&format!("::{pin}"));
    if names.iter().any(named) {
        section.cell.pin();
    }
}

/// Holds every object where it is: none leaves the registry until the guard is dropped. Whoever holds
/// it must not load or unload objects, nor wait for a thread that does.
pub(crate) struct Steady(RwLockReadGuard<'static, Registry>);

pub(crate) fn steady() -> Steady {
    Steady(read())
}

impl Steady {
    pub(crate) fn objects(&self) -> &[Object] {
        &self.0.objects
    }
}

/// Looks for objects that came since the last look, if any object came or went.
pub(crate) fn refresh() {
    if is_owner() && read().seen != Some(modules::changes()) {
        look();
    }
}

/// Takes in every object that carries a note and is not known yet. One that is just being loaded is not
/// ready, and tells by itself when it is.
fn look() {
    if !is_owner() {
        return;
    }
    let now = modules::changes();
    let mut carrying = modules::loaded();
    carrying.retain(|o| !matches!(read::note(o), Ok(None)));
    let mut registry = write();
    registry.seen = Some(now);
    let told = registry.take_faulty(); // read anew, but not told anew
    drop(registry);
    let came = carrying.iter().filter_map(take_in_kept);
    let came: Vec<_> = came.collect();
    let news = |c: &Change| c.fault.is_none() || !told.contains(&c.path);
    came.into_iter().filter(news).for_each(tell);
}

/// Takes in an object that may be unloaded any time.
fn take_in_kept(seen: &Mapped) -> Option<Change> {
    if read().knows(seen) {
        return None;
    }
    let _kept = seen.keep().ok()?;
    // The file may be another by now: what is kept is what the loader shows.
    let now = modules::loaded()
        .into_iter()
        .find(|o| o.base == seen.base)?;
    write().consider(&now)
}

/// Takes in the object of `module`, whose hook runs.
fn load(module: *const Module) {
    if !is_owner() {
        return;
    }
    let object = modules::holding(module as u64);
    let change = object.and_then(|object| write().consider(&object));
    change.into_iter().for_each(tell);
}

/// Logs a change and tells the listener; under no lock of ours, since both run others' code.
fn tell(change: Change) {
    let Change { path, sites, .. } = &change;
    match &change.fault {
        Some(fault) => tracing::warn!(path, %fault, "the sections of an object stay on the CPU"),
        None if change.loaded => tracing::info!(path, sites, "an object's sections are registered"),
        None => tracing::info!(path, sites, "an object's sections are gone"),
    }
    let listener = read().listener.clone();
    if let Some(listener) = listener {
        listener(change);
    }
}

/// Looks again, and tells the first fault.
///
/// # Errors
/// The object and what is wrong with it; others are not affected.
pub(crate) fn check() -> Result<()> {
    look();
    let steady = steady();
    let faulty = steady
        .objects()
        .iter()
        .find_map(|o| Some((o, o.fault.clone()?)));
    faulty.map_or(Ok(()), |(object, source)| {
        let object = object.path.clone();
        Err(Error::Object { object, source })
    })
}

/// Gives every object's sleds to a switch that has just been made, then lets `publish` make it known;
/// no object comes between the two.
pub(crate) fn hand_over<T>(switch: Switch, publish: impl FnOnce(Switch) -> T) -> T {
    let mut registry = write();
    for object in &mut registry.objects {
        object.adopt(&switch);
    }
    publish(switch)
}

/// Forgets the object of `module`, which is about to be unmapped.
///
/// 1. Its sleds idle, so that nobody enters a trampoline from them any more.
/// 2. The patcher forgets them: a later session neither reads nor writes there.
/// 3. Its sections are not live: nobody offers them, lowers them, or lists them.
///
/// All under the registry's lock, which every session holds.
fn unload(module: *const Module) {
    if !is_owner() {
        return;
    }
    let mut registry = write();
    let leaves = |o: &Object| o.module == module as u64;
    let Some(at) = registry.objects.iter().position(leaves) else {
        return;
    };
    let object = registry.objects.remove(at);
    let released = Switch::made().map(|switch| switch.release(&object.sections));
    for section in &object.sections {
        section.set_live(false);
        section.cell.set_device_from(None);
    }
    drop(registry);
    if let Some(Err(error)) = released {
        tracing::warn!(%error, "the sleds of an object that goes were left as they are");
    }
    tell(object.change(false));
}

impl Registry {
    /// Takes out the objects that could not be read; by now others may be where they were.
    fn take_faulty(&mut self) -> Vec<String> {
        let faulty = self.objects.extract_if(.., |o| o.module == 0);
        faulty.map(|o| o.path).collect()
    }

    fn knows(&self, mapped: &Mapped) -> bool {
        self.objects.iter().any(|o| o.base == mapped.base)
    }

    /// Takes in an object that carries a note and is not known yet.
    fn consider(&mut self, mapped: &Mapped) -> Option<Change> {
        if self.knows(mapped) {
            return None;
        }
        let noted = read::note(mapped).transpose()?;
        let taken = noted.and_then(|noted| take_in(mapped, &noted, &self.pins));
        let object = taken.unwrap_or_else(|fault| Some(Object::faulty(mapped, fault)))?;
        let change = object.change(true);
        self.objects.push(object);
        Some(change)
    }
}

/// Checks an object and numbers its sections; `None` for one that comes or goes just now, or has none.
fn take_in(
    mapped: &Mapped,
    noted: &Noted,
    pins: &[String],
) -> std::result::Result<Option<Object>, ObjectFault> {
    let Some(module) = noted.module()? else {
        return Ok(None);
    };
    let found = noted.sections()?; // everything is checked before anything is numbered
    if found.is_empty() {
        return Ok(None);
    }
    let build_id = read::build_id(mapped);
    let one = |found| enrol(found, module, (&build_id, mapped.base));
    let sections: Vec<_> = found.into_iter().map(one).collect();
    sections.iter().for_each(|s| pin_one(s, pins));
    let mut object = Object {
        path: path(mapped),
        base: mapped.base,
        module: std::ptr::from_ref(module) as u64,
        sections,
        build_id,
        fault: None,
    };
    if let Some(switch) = Switch::made() {
        object.adopt(switch);
    }
    if !std::ptr::eq(module, &MODULE) {
        let table = (&raw const table::TABLE).cast_mut();
        module.joined.store(table, Ordering::Release);
    }
    Ok(Some(object))
}

/// Numbers one section; one that was here before, at the same place, has its number again.
fn enrol(found: Found, module: &'static Module, home: (&str, u64)) -> &'static Section {
    let (sled, given) = (found.entry.sled, found.entry.cell as *const ());
    let key = (home.0.to_owned(), sled.get().wrapping_sub(home.1));
    let back =
        |s: &&Section| !s.is_live() && s.sled == sled && s.key == key && s.bytes == found.bytes;
    let section = section::all().find(back);
    let section = section.unwrap_or_else(|| {
        section::add(New {
            sled,
            cell: cell(&found, module),
            path: found.path,
            bytes: found.bytes,
            module: found.module,
            key,
        })
    });
    section.set_live(true);
    // SAFETY: the row names the cell that the same macro emitted as this copy's module; the reader found
    // the address aligned and in writable data of the object.
    let flags = unsafe { (module.enrol)(given, section.site.0) };
    section.cell.set_flags(flags);
    section
}

/// This copy's own cell, or one of our own making that stands for another copy's: it outlives the
/// object, and its form is ours.
fn cell(found: &Found, module: &'static Module) -> &'static SectionCell {
    if std::ptr::eq(module, &MODULE) {
        // SAFETY: the row names the static that this copy's macro emitted, in an object that is pinned.
        return unsafe { &*(found.entry.cell as *const SectionCell) };
    }
    let code = |address: u64| {
        // SAFETY: the reader found the address in executable memory of the object; the row says that
        // it is an entry or a body, and only calls of this section run it.
        unsafe { std::mem::transmute::<u64, EntryFn>(address) }
    };
    let (entry, body) = (code(found.entry.sled.get()), code(found.entry.body.get()));
    Box::leak(Box::new(SectionCell::standing_for(
        entry,
        body,
        Grains::of(module),
    )))
}

fn path(mapped: &Mapped) -> String {
    let path = mapped.path();
    let path = std::fs::read_link(&path).unwrap_or(path); // `/proc/self/exe` says little
    path.display().to_string()
}

impl Object {
    fn faulty(mapped: &Mapped, fault: ObjectFault) -> Self {
        Self {
            path: path(mapped),
            build_id: read::build_id(mapped),
            base: mapped.base,
            module: 0,
            sections: Vec::new(),
            fault: Some(Arc::new(fault)),
        }
    }

    /// Gives its sleds trampolines and the patcher; a failure keeps its sections on the CPU.
    fn adopt(&mut self, switch: &Switch) {
        if let Err(fault) = switch.adopt(&self.sections) {
            self.fault = Some(Arc::new(fault));
        }
    }

    fn change(&self, loaded: bool) -> Change {
        Change {
            loaded,
            path: self.path.clone(),
            sites: self.sections.len() as u64,
            fault: self.fault.clone(),
        }
    }
}
