//! What all devices behind a driver have in common: memory by address, kernels by number, one machine for both halves.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use hotsled_ir::{Access, ParamKind};
use hotsled_link::{DevicePtr, Launch};

use crate::args::Layout;
use crate::backend::{Backend, Status};
use crate::launch::given;

/// Allocations are whole multiples of this, so that a byte's word is there, too.
const ALIGN: u64 = 16;

/// Memory of a device; given back on drop.
pub(crate) trait Memory: Send {
    /// Where the device has it.
    fn address(&self) -> u64;

    /// How much it is.
    fn bytes(&self) -> u64;
}

/// A lowered module that a device can run.
pub(crate) trait Kernel: Send + Sync {
    /// Its parameters.
    fn params(&self) -> &[ParamKind];

    /// What it reaches of each.
    fn access(&self) -> &[Access];
}

/// An open device: copies and launches, one at a time. Once lost it stays so.
pub(crate) trait Machine: Send {
    /// The device itself, where memory is taken.
    type Gpu: Send + Sync;
    /// Its memory.
    type Memory: Memory;
    /// What it runs.
    type Kernel: Kernel;
    /// Why the device is of no use any more.
    type Lost: Display;

    /// Takes memory, if there is any.
    fn take(gpu: &Arc<Self::Gpu>, bytes: u64) -> Option<Self::Memory>;

    /// Copies into device memory.
    ///
    /// # Safety
    /// `src..src + bytes` is readable, and `at..at + bytes` lies in `to`.
    unsafe fn write(
        &mut self,
        to: &Self::Memory,
        at: u64,
        src: *const u8,
        bytes: u64,
    ) -> Result<(), Self::Lost>;

    /// Copies out of device memory.
    ///
    /// # Safety
    /// `dst..dst + bytes` is writable, and `at..at + bytes` lies in `from`.
    unsafe fn read(
        &mut self,
        from: &Self::Memory,
        at: u64,
        dst: *mut u8,
        bytes: u64,
    ) -> Result<(), Self::Lost>;

    /// Runs a kernel over its block's range; whether it faulted.
    fn launch(&mut self, kernel: &Self::Kernel, block: &[u64]) -> Result<bool, Self::Lost>;

    /// Has the driver report the device as lost from now on.
    fn lose(&mut self);
}

/// What both halves of a device use.
pub(crate) struct Shared<M: Machine> {
    pub(crate) gpu: Arc<M::Gpu>,
    machine: Arc<Mutex<M>>,
    kernels: Arc<RwLock<Vec<Arc<M::Kernel>>>>,
}

impl<M: Machine> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self {
            gpu: self.gpu.clone(),
            machine: self.machine.clone(),
            kernels: self.kernels.clone(),
        }
    }
}

impl<M: Machine> Shared<M> {
    pub(crate) fn new(gpu: Arc<M::Gpu>, machine: M) -> Self {
        let machine = Arc::new(Mutex::new(machine));
        Self {
            gpu,
            machine,
            kernels: Arc::default(),
        }
    }

    pub(crate) fn machine(&self) -> MutexGuard<'_, M> {
        self.machine.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Keeps a kernel; its number.
    pub(crate) fn keep(&self, kernel: M::Kernel) -> u32 {
        let mut kernels = self.kernels.write().unwrap_or_else(|e| e.into_inner());
        kernels.push(Arc::new(kernel));
        kernels.len() as u32 - 1
    }

    fn kernel(&self, number: u32) -> Option<Arc<M::Kernel>> {
        let kernels = self.kernels.read().unwrap_or_else(|e| e.into_inner());
        kernels.get(number as usize).cloned()
    }
}

/// The data half.
pub(crate) struct Accelerator<M: Machine> {
    shared: Shared<M>,
    capacity: u64,
    used: u64,
    /// Allocations by address.
    memory: BTreeMap<u64, M::Memory>,
}

impl<M: Machine> Accelerator<M> {
    /// With nothing allocated yet of `capacity` bytes.
    pub(crate) fn new(shared: Shared<M>, capacity: u64) -> Self {
        Self {
            shared,
            capacity,
            used: 0,
            memory: BTreeMap::new(),
        }
    }

    /// The allocation that holds `ptr..ptr + bytes`, and where in it.
    fn find(&self, ptr: DevicePtr, bytes: u64) -> Option<(&M::Memory, u64)> {
        let (&start, memory) = self.memory.range(..=ptr.0).next_back()?;
        let at = ptr.0 - start;
        (at.checked_add(bytes)? <= memory.bytes()).then_some((memory, at))
    }
}

/// What the engine is told; a lost device is told to people, too.
fn status(result: Result<bool, impl Display>) -> Status {
    match result {
        Ok(false) => Status::Done,
        Ok(true) => Status::Faulted,
        Err(lost) => {
            eprintln!("hotsled-device: {lost}");
            Status::Lost
        }
    }
}

impl<M: Machine> Backend for Accelerator<M> {
    fn alloc(&mut self, bytes: u64) -> Option<DevicePtr> {
        let bytes = bytes.max(1).checked_next_multiple_of(ALIGN)?;
        if self.used.checked_add(bytes)? > self.capacity {
            return None;
        }
        let memory = M::take(&self.shared.gpu, bytes)?;
        let address = memory.address();
        self.used += bytes;
        self.memory.insert(address, memory);
        Some(DevicePtr(address))
    }

    fn free(&mut self, ptr: DevicePtr) -> Status {
        match self.memory.remove(&ptr.0) {
            Some(memory) => {
                self.used -= memory.bytes();
                Status::Done
            }
            None => Status::Failed,
        }
    }

    unsafe fn copy_in(&mut self, ptr: DevicePtr, src: *const u8, bytes: u64) -> Status {
        let Some((memory, at)) = self.find(ptr, bytes) else {
            return Status::Failed;
        };
        // SAFETY: the caller vouches for the source; the destination was just found.
        let done = unsafe { self.shared.machine().write(memory, at, src, bytes) };
        status(done.map(|()| false))
    }

    unsafe fn copy_out(&mut self, ptr: DevicePtr, dst: *mut u8, bytes: u64) -> Status {
        let Some((memory, at)) = self.find(ptr, bytes) else {
            return Status::Failed;
        };
        // SAFETY: the caller vouches for the destination; the source was just found.
        let done = unsafe { self.shared.machine().read(memory, at, dst, bytes) };
        status(done.map(|()| false))
    }

    fn launch(&mut self, launch: &Launch) -> Status {
        let Some(kernel) = self.shared.kernel(launch.module.0) else {
            return Status::Failed;
        };
        let locate = |ptr, bytes| self.find(ptr, bytes).map(|_| ptr.0);
        let Some(given) = given(kernel.params(), kernel.access(), launch, locate) else {
            return Status::Failed;
        };
        let block = Layout::block(launch.base, launch.end, &given);
        status(self.shared.machine().launch(&kernel, &block))
    }

    fn lose(&mut self) {
        self.shared.machine().lose();
    }
}

/// Offsets and lengths that cover `count` indices by what one launch takes; an empty range is one empty piece: its
/// prelude may fault.
pub(crate) fn pieces(count: u64, most: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..count.max(1))
        .step_by(most as usize)
        .map(move |at| (at, (count - at).min(most)))
}
