//! An open device, and what lives in it.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::described::Described;
use super::driver::{Address, Driver, Handle};
use super::error::CudaError;
use crate::driven;

/// `CU_MEMHOSTALLOC_DEVICEMAP`: the device can address it.
const MAPPED: u32 = 2;

/// An open device. Once quarantined, nothing of it is ever given back: work that did not end may still
/// use all of it.
pub(super) struct Gpu {
    pub(super) driver: &'static Driver,
    pub(super) described: Described,
    context: Handle,
    quarantined: AtomicBool,
}

impl Gpu {
    pub(super) fn open(
        driver: &'static Driver,
        described: Described,
    ) -> Result<Arc<Self>, CudaError> {
        let mut context = Handle::NONE;
        // SAFETY: `context` is writable; the device is there.
        let made = unsafe { (driver.retain_context)(&raw mut context, described.device) };
        driver.check("opening the device", made)?;
        let this = Self {
            driver,
            described,
            context,
            quarantined: AtomicBool::new(false),
        };
        this.enter()?;
        Ok(Arc::new(this))
    }

    /// Makes it the device that this thread's calls are for.
    pub(super) fn enter(&self) -> Result<(), CudaError> {
        // SAFETY: the context is retained as long as `self`.
        let entered = unsafe { (self.driver.enter_context)(self.context) };
        self.driver.check("entering the device", entered)
    }

    pub(super) fn quarantine(&self) {
        self.quarantined.store(true, Ordering::Relaxed);
    }

    /// Whether objects may be given back, and this thread is where it can be done.
    pub(super) fn may_give_back(&self) -> bool {
        !self.quarantined.load(Ordering::Relaxed) && self.enter().is_ok()
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if self.may_give_back() {
            // SAFETY: retained once by `open`; all objects hold this device by `Arc` and are gone.
            unsafe { (self.driver.release_context)(self.described.device) };
        }
    }
}

/// Memory of the device.
pub(super) struct Memory {
    gpu: Arc<Gpu>,
    pub(super) address: Address,
    pub(super) bytes: u64,
}

impl Memory {
    /// Takes some; not zeroed.
    pub(super) fn new(gpu: &Arc<Gpu>, bytes: u64) -> Result<Self, CudaError> {
        gpu.enter()?;
        let mut address = 0;
        // SAFETY: `address` is writable, and the device is entered.
        let made = unsafe { (gpu.driver.take_memory)(&raw mut address, bytes as usize) };
        gpu.driver.check("taking memory", made)?;
        Ok(Self {
            gpu: gpu.clone(),
            address,
            bytes,
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.gpu.may_give_back() {
            // SAFETY: taken by `new`, and no work uses it: each is waited for.
            unsafe { (self.gpu.driver.give_memory)(self.address) };
        }
    }
}

/// Memory of the host that the device can address.
pub(super) struct Pinned {
    gpu: Arc<Gpu>,
    start: *mut c_void,
    /// Where the device sees it.
    pub(super) address: Address,
    bytes: usize,
}

// SAFETY: the memory is this owner's alone, and the driver gives it back on any thread.
unsafe impl Send for Pinned {}

impl Pinned {
    pub(super) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<Self, CudaError> {
        let mut this = Self {
            gpu: gpu.clone(),
            start: std::ptr::null_mut(),
            address: 0,
            bytes,
        };
        gpu.enter()?;
        // SAFETY: `start` is writable, and the device is entered.
        let made = unsafe { (gpu.driver.take_pinned)(&raw mut this.start, bytes, MAPPED) };
        gpu.driver.check("taking memory of the host", made)?;
        // SAFETY: `address` is writable; `start` was just taken as mapped.
        let found = unsafe { (gpu.driver.pinned_address)(&raw mut this.address, this.start, 0) };
        gpu.driver.check("mapping memory of the host", found)?;
        Ok(this)
    }

    /// Its first byte, of `bytes` that are there.
    ///
    /// # Panics
    /// If they are not.
    pub(super) fn host(&self, bytes: usize) -> *mut u8 {
        assert!(bytes <= self.bytes, "{bytes} of {}", self.bytes);
        self.start.cast()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if !self.start.is_null() && self.gpu.may_give_back() {
            // SAFETY: taken by `new`, and no work uses it: each is waited for.
            unsafe { (self.gpu.driver.give_pinned)(self.start) };
        }
    }
}

impl driven::Memory for Memory {
    fn address(&self) -> u64 {
        self.address
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
