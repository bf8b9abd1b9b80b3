//! The fixture plugin, loaded as a service loads one.

use std::path::{Path, PathBuf};

use libloading::{Library, Symbol};

/// The shared object that cargo builds with these tests.
pub fn built() -> PathBuf {
    let exe = std::env::current_exe().expect("own path");
    let deps = exe.parent().expect("target/PROFILE/deps");
    deps.join("libhotsled_test_plugin.so")
}

/// A copy of it under another name, as the loader takes the same file only once.
pub fn copy(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::copy(built(), &path).expect("the plugin is built");
    path
}

/// A loaded plugin; unloaded on drop.
pub struct Plugin(Library);

type Twist = unsafe extern "C" fn(u32, *const u32, *mut u32, usize);
type Shifted = unsafe extern "C" fn(u32, *const u32, *mut u32, usize) -> u64;
type Start = extern "C" fn() -> i32;
type AtEnd = extern "C" fn(extern "C" fn());

impl Plugin {
    /// Loads it.
    pub fn load(path: &Path) -> Self {
        // SAFETY: what the plugin runs when it is loaded is the crate's registration.
        Self(unsafe { Library::new(path) }.expect("the plugin loads"))
    }

    fn symbol<T>(&self, name: &[u8]) -> Symbol<'_, T> {
        // SAFETY: the fixture exports these names with these types.
        unsafe { self.0.get(name) }.expect("the plugin exports it")
    }

    /// Runs its section `twist`, which gives what `stir` gives.
    pub fn twist(&self, rounds: u32, x: &[u32]) -> Vec<u32> {
        let twist: Symbol<'_, Twist> = self.symbol(b"plugin_twist");
        let mut out = vec![0; x.len()];
        // SAFETY: both slices have the length that is passed.
        unsafe { twist(rounds, x.as_ptr(), out.as_mut_ptr(), x.len()) };
        out
    }

    /// Runs its section `shifted`: the index at which it panicked, or 0.
    pub fn shifted(&self, shift: u32, x: &[u32]) -> u64 {
        let shifted: Symbol<'_, Shifted> = self.symbol(b"plugin_shifted");
        let mut out = vec![0; x.len()];
        // SAFETY: both slices have the length that is passed.
        unsafe { shifted(shift, x.as_ptr(), out.as_mut_ptr(), x.len()) }
    }

    /// Starts and stops an engine of its own copy: 0 done, 1 another copy runs it, 2 otherwise. On a thread
    /// of its own, so that no thread-local of the plugin keeps it mapped afterwards.
    pub fn start_engine(&self) -> i32 {
        let start: Symbol<'_, Start> = self.symbol(b"plugin_start_engine");
        let start = *start;
        std::thread::spawn(move || start())
            .join()
            .expect("no panic")
    }

    /// Has `last` called when the plugin is unloaded, after it has left the engine.
    pub fn at_end(&self, last: extern "C" fn()) {
        let at_end: Symbol<'_, AtEnd> = self.symbol(b"plugin_at_end");
        at_end(last);
    }
}

/// Whether any mapping of this process is of the file at `path`.
pub fn is_mapped(path: &Path) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let name = path.display().to_string();
    maps.lines().any(|line| line.contains(&name))
}
