//! Shared objects that gcc and clang build, loaded into the test.
#![allow(dead_code, reason = "each test uses its part")]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hotsled_patcher::{Options, Patcher};
use hotsled_probe::{Adoption, Fuse, Layout, Module, Probes};

pub const GCC: &str = "gcc";
pub const CLANG: &str = "clang-19";

/// A folder for one process's objects, removed with it.
pub struct Workshop(tempfile::TempDir);

impl Workshop {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Compiles C text to `name`.so.
    pub fn build(&self, compiler: &str, flags: &str, name: &str, text: &str) -> PathBuf {
        let (source, object) = (
            self.path(&format!("{name}.c")),
            self.path(&format!("{name}.so")),
        );
        std::fs::write(&source, text).unwrap();
        let mut command = Command::new(compiler);
        command
            .args(["-shared", "-fPIC", "-o"])
            .args([&object, &source]);
        let status = command.args(flags.split_whitespace()).status();
        let status =
            status.unwrap_or_else(|e| panic!("{compiler}: {e}; apt-get install {compiler}"));
        assert!(status.success(), "{command:?}");
        object
    }

    /// Compiles and loads.
    pub fn object(&self, compiler: &str, flags: &str, name: &str, text: &str) -> Object {
        Object::load(&self.build(compiler, flags, name, text))
    }
}

/// A loaded shared object.
#[derive(Clone, Copy)]
pub struct Object(usize);

impl Object {
    pub fn load(path: &Path) -> Self {
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the objects of these tests have no constructors.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{path:?} does not load");
        Self(handle as usize)
    }

    /// Gives the handle back.
    pub fn close(self) {
        // SAFETY: the handle is open, and nobody uses it again.
        unsafe { libc::dlclose(self.0 as *mut libc::c_void) };
    }

    pub fn address(self, name: &str) -> u64 {
        let name = CString::new(name).unwrap();
        // SAFETY: the handle is open and the name is a C string.
        let address = unsafe { libc::dlsym(self.0 as *mut libc::c_void, name.as_ptr()) };
        assert!(!address.is_null(), "{name:?} is not there");
        address as u64
    }

    /// The function `name`, which takes and returns an int.
    pub fn function(self, name: &str) -> extern "C" fn(i32) -> i32 {
        // SAFETY: every exported function of these tests has this signature.
        unsafe { std::mem::transmute(self.address(name)) }
    }

    pub fn module(self, name: &str) -> Module {
        Module::containing(self.address(name)).unwrap()
    }
}

pub fn probes() -> Probes {
    let patcher = Patcher::new(Options::default()).unwrap();
    Probes::new(Arc::new(patcher)).unwrap()
}

pub fn adopt(probes: &Probes, module: &Module, numbers: (u16, u16), fuse: Fuse) -> Adoption {
    let layout = Layout::new(numbers.0, numbers.1).unwrap();
    // SAFETY: the tests say the numbers that they compiled with, or ones that must be refused; no
    // function begins with nops of its own.
    unsafe { probes.adopt(module, layout, fuse) }.unwrap()
}

/// `name at address: reason` of each refusal, without addresses.
pub fn reasons(adoption: &Adoption) -> Vec<(String, String)> {
    let text =
        |r: &hotsled_probe::Refusal| (r.name.clone().unwrap_or_default(), r.reason.to_string());
    adoption.refused.iter().map(text).collect()
}
