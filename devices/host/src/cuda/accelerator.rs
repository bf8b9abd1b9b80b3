//! The two halves of the device: lowering, and memory with execution.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use hotsled_ir::Valid;
use hotsled_link::{DevicePtr, Launch};

use super::error::{CudaError, Lost};
use super::gpu::{Gpu, Memory};
use super::kernel::Kernel;
use super::machine::Machine;
use super::trial::Trial;
use crate::args::Layout;
use crate::backend::{Backend, Lowering, Status};
use crate::cache::Cache;
use crate::exact::Exactness;
use crate::launch::given;
use crate::ptx;

/// What both halves use.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) gpu: Arc<Gpu>,
    machine: Arc<Mutex<Machine>>,
    kernels: Arc<RwLock<Vec<Arc<Kernel>>>>,
}

impl Shared {
    pub(super) fn new(gpu: Arc<Gpu>, machine: Machine) -> Self {
        let machine = Arc::new(Mutex::new(machine));
        Self {
            gpu,
            machine,
            kernels: Arc::default(),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The control half.
pub(super) struct Compiler {
    pub(super) shared: Shared,
    pub(super) cache: Cache,
    /// What is known of the device's exactness; none: bounded results are accepted.
    pub(super) exactness: Option<Exactness>,
}

impl Compiler {
    fn kernel(&mut self, module: &Valid) -> Result<Kernel, CudaError> {
        let gpu = &self.shared.gpu;
        let lowered = ptx::lower(module, ptx::BASE_ARCHITECTURE)?;
        if let Some(exactness) = &mut self.exactness {
            let machine = &mut self.shared.machine();
            exactness.demand(&lowered.floats, &mut Trial { gpu, machine })?;
        }
        Kernel::new(gpu, module, &lowered.text, &self.cache)
    }
}

impl Lowering for Compiler {
    fn lower(&mut self, module: &Valid) -> Result<u32, String> {
        let kernel = self.kernel(module).map_err(|e| e.to_string())?;
        let mut kernels = self
            .shared
            .kernels
            .write()
            .unwrap_or_else(|e| e.into_inner());
        kernels.push(Arc::new(kernel));
        Ok(kernels.len() as u32 - 1)
    }
}

/// The data half.
pub(super) struct Accelerator {
    pub(super) shared: Shared,
    pub(super) capacity: u64,
    pub(super) used: u64,
    /// Allocations by address.
    pub(super) memory: BTreeMap<u64, Memory>,
}

impl Accelerator {
    /// Whether an allocation holds `ptr..ptr + bytes`.
    fn holds(&self, ptr: DevicePtr, bytes: u64) -> bool {
        let found = self.memory.range(..=ptr.0).next_back();
        let within = |(&start, memory): (&u64, &Memory)| {
            let end = (ptr.0 - start).checked_add(bytes);
            end.is_some_and(|end| end <= memory.bytes)
        };
        found.is_some_and(within)
    }
}

/// What the engine is told; a lost device is told to people, too.
fn status(result: Result<bool, Lost>) -> Status {
    match result {
        Ok(false) => Status::Done,
        Ok(true) => Status::Faulted,
        Err(lost) => {
            eprintln!("hotsled-device: {lost}");
            Status::Lost
        }
    }
}

impl Backend for Accelerator {
    fn alloc(&mut self, bytes: u64) -> Option<DevicePtr> {
        let bytes = bytes.max(1);
        if self.used.checked_add(bytes)? > self.capacity {
            return None;
        }
        let memory = Memory::new(&self.shared.gpu, bytes).ok()?;
        let address = memory.address;
        self.used += bytes;
        self.memory.insert(address, memory);
        Some(DevicePtr(address))
    }

    fn free(&mut self, ptr: DevicePtr) -> Status {
        match self.memory.remove(&ptr.0) {
            Some(memory) => {
                self.used -= memory.bytes;
                Status::Done
            }
            None => Status::Failed,
        }
    }

    unsafe fn copy_in(&mut self, ptr: DevicePtr, src: *const u8, bytes: u64) -> Status {
        if !self.holds(ptr, bytes) {
            return Status::Failed;
        }
        // SAFETY: the caller vouches for the source; the destination was just found.
        let done = unsafe { self.shared.machine().write(ptr.0, src, bytes) };
        status(done.map(|()| false))
    }

    unsafe fn copy_out(&mut self, ptr: DevicePtr, dst: *mut u8, bytes: u64) -> Status {
        if !self.holds(ptr, bytes) {
            return Status::Failed;
        }
        // SAFETY: the caller vouches for the destination; the source was just found.
        let done = unsafe { self.shared.machine().read(ptr.0, dst, bytes) };
        status(done.map(|()| false))
    }

    fn launch(&mut self, launch: &Launch) -> Status {
        let kernels = self
            .shared
            .kernels
            .read()
            .unwrap_or_else(|e| e.into_inner());
        let Some(kernel) = kernels.get(launch.module.0 as usize).cloned() else {
            return Status::Failed;
        };
        drop(kernels);
        let locate = |ptr, bytes| self.holds(ptr, bytes).then_some(ptr.0);
        let Some(given) = given(&kernel.params, &kernel.access, launch, locate) else {
            return Status::Failed;
        };
        let block = Layout::block(launch.base, launch.end, &given);
        status(self.shared.machine().launch(&kernel, &block))
    }

    fn lose(&mut self) {
        self.shared.machine().lose();
    }
}
