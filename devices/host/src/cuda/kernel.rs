//! A lowered module as the device keeps it.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use hotsled_ir::{Access, ParamKind, Valid};

use super::driver::Handle;
use super::error::CudaError;
use super::gpu::Gpu;
use crate::args::Layout;
use crate::cache::{Cache, Key};
use crate::cannot::Cannot;
use crate::driven;

/// Bytes of arguments that every architecture takes.
const MOST_BYTES: usize = 4096;
const LOG_BYTES: usize = 4096;
/// Numbers of `CUjit_option`: where the assembler's words go, and how many.
const LOG: [c_int; 2] = [5, 6];
/// `CU_JIT_INPUT_PTX`.
const TEXT: c_int = 1;

/// A lowered module, ready to run.
pub(super) struct Kernel {
    pub(super) code: Code,
    params: Vec<ParamKind>,
    access: Vec<Access>,
}

impl Kernel {
    /// Assembles, or takes machine code from the cache.
    pub(super) fn new(
        gpu: &Arc<Gpu>,
        module: &Valid,
        text: &str,
        cache: &Cache,
    ) -> Result<Self, CudaError> {
        let bytes = 8 * Layout::of(module).words();
        if bytes > MOST_BYTES {
            return Err(Cannot::Construct(format!("{bytes} bytes of arguments")).into());
        }
        gpu.enter()?;
        Ok(Self {
            code: code(gpu, key(gpu, module, text), text, cache)?,
            params: module.params.iter().map(|p| p.kind).collect(),
            access: hotsled_ir::access(module),
        })
    }
}

/// What the cache has for this device, if the driver takes it; else what the driver makes of the text.
fn code(gpu: &Arc<Gpu>, key: Key, text: &str, cache: &Cache) -> Result<Code, CudaError> {
    let known = cache.get(key);
    if let Some(Ok(code)) = known.map(|bytes| Code::load(gpu, &bytes)) {
        return Ok(code);
    }
    let bytes = assemble(gpu, text)?;
    let code = Code::load(gpu, &bytes)?;
    cache.put(key, &bytes);
    Ok(code)
}

/// Machine code that the device has, and the function in it.
pub(super) struct Code {
    gpu: Arc<Gpu>,
    module: Handle,
    pub(super) function: Handle,
}

impl Code {
    fn load(gpu: &Arc<Gpu>, bytes: &[u8]) -> Result<Self, CudaError> {
        let driver = gpu.driver;
        let mut this = Self {
            gpu: gpu.clone(),
            module: Handle::NONE,
            function: Handle::NONE,
        };
        // SAFETY: the code is this driver's own, by its checksum and key.
        let loaded = unsafe { (driver.load_module)(&raw mut this.module, bytes.as_ptr().cast()) };
        driver.check("loading code", loaded)?;
        let name = c"section".as_ptr();
        // SAFETY: the module is loaded; the name is a string.
        let found = unsafe { (driver.function)(&raw mut this.function, this.module, name) };
        driver.check("finding a function", found)?;
        Ok(this)
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if self.module != Handle::NONE && self.gpu.may_give_back() {
            // SAFETY: loaded by `load`, and no work uses it.
            unsafe { (self.gpu.driver.unload_module)(self.module) };
        }
    }
}

impl driven::Kernel for Kernel {
    fn params(&self) -> &[ParamKind] {
        &self.params
    }

    fn access(&self) -> &[Access] {
        &self.access
    }
}

/// What machine code depends on.
fn key(gpu: &Gpu, module: &Valid, text: &str) -> Key {
    Key::of(&[
        &hotsled_ir::encode(module),
        b"cuda",
        &gpu.described.identity,
        text.as_bytes(),
    ])
}

/// The driver's assembler at work.
struct Assembler<'a> {
    gpu: &'a Gpu,
    state: Handle,
    /// The driver writes here until the work is done.
    log: Box<[u8; LOG_BYTES]>,
}

/// Machine code for this device.
fn assemble(gpu: &Gpu, text: &str) -> Result<Vec<u8>, CudaError> {
    let mut assembler = Assembler::new(gpu)?;
    assembler.add(text)?;
    assembler.finish()
}

impl<'a> Assembler<'a> {
    fn new(gpu: &'a Gpu) -> Result<Self, CudaError> {
        let mut this = Self {
            gpu,
            state: Handle::NONE,
            log: Box::new([0; LOG_BYTES]),
        };
        let values: [*mut c_void; 2] = [this.log.as_mut_ptr().cast(), LOG_BYTES as *mut c_void];
        // SAFETY: two options with their values; the log stays until `end_link`.
        let made = unsafe {
            (gpu.driver.begin_link)(2, LOG.as_ptr(), values.as_ptr(), &raw mut this.state)
        };
        gpu.driver.check("starting the assembler", made)?;
        Ok(this)
    }

    fn add(&mut self, text: &str) -> Result<(), CudaError> {
        let text: Vec<u8> = text.bytes().chain([0]).collect();
        let (start, name) = (text.as_ptr().cast(), c"section".as_ptr());
        let none = (std::ptr::null(), std::ptr::null());
        // SAFETY: the text ends in a zero, which its length counts; no options.
        let added = unsafe {
            (self.gpu.driver.link_text)(
                self.state,
                TEXT,
                start,
                text.len(),
                name,
                0,
                none.0,
                none.1,
            )
        };
        self.check(added)
    }

    fn finish(&mut self) -> Result<Vec<u8>, CudaError> {
        let (mut start, mut bytes) = (std::ptr::null(), 0);
        // SAFETY: both are writable.
        let done =
            unsafe { (self.gpu.driver.finish_link)(self.state, &raw mut start, &raw mut bytes) };
        self.check(done)?;
        // SAFETY: the driver keeps so many bytes there until `end_link`.
        Ok(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), bytes) }.to_vec())
    }

    fn check(&self, result: c_int) -> Result<(), CudaError> {
        if result == 0 {
            return Ok(());
        }
        let end = self.log.iter().position(|b| *b == 0);
        let log = String::from_utf8_lossy(&self.log[..end.unwrap_or(LOG_BYTES)]);
        Err(CudaError::Assembly {
            code: self.gpu.driver.code(result),
            log: log.trim().to_owned(),
        })
    }
}

impl Drop for Assembler<'_> {
    fn drop(&mut self) {
        if self.state != Handle::NONE {
            // SAFETY: made by `new`, ended once.
            unsafe { (self.gpu.driver.end_link)(self.state) };
        }
    }
}
