//! The two halves of the device: lowering, and memory with execution.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use hotsled_ir::Valid;
use hotsled_link::{DevicePtr, Launch};

use super::error::Lost;
use super::gpu::{Buffer, Gpu, Place};
use super::kernel::Kernel;
use super::machine::Machine;
use super::trial::{Trial, TrialError};
use crate::args::Layout;
use crate::backend::{Backend, Lowering, Status};
use crate::cache::Cache;
use crate::cannot::Cannot;
use crate::exact::Exactness;
use crate::launch::given;
use crate::spirv::{self, Features};

/// Allocations are whole multiples of this, so that a byte's word is there, too.
const ALIGN: u64 = 16;

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

    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The control half.
pub(super) struct Compiler {
    pub(super) shared: Shared,
    pub(super) features: Features,
    pub(super) cache: Cache,
    /// What is known of the device's exactness; none: bounded results are accepted.
    pub(super) exactness: Option<Exactness>,
}

impl Compiler {
    fn kernel(&mut self, module: &Valid) -> Result<Kernel, TrialError> {
        let words = self.exact(module)?;
        let kernel = Kernel::new(&self.shared.gpu, module, &words, &self.cache)?;
        self.warm(&kernel)?;
        Ok(kernel)
    }

    /// Lowers so that every operation is exact on this device: what turns out not to be is replaced, if it
    /// can be.
    fn exact(&mut self, module: &Valid) -> Result<Vec<u32>, TrialError> {
        loop {
            let lowered = spirv::lower(module, &self.features)?;
            let Some(exactness) = &mut self.exactness else {
                return Ok(lowered.words);
            };
            let mut trial = Trial {
                gpu: &self.shared.gpu,
                machine: &mut self.shared.machine(),
                features: self.features,
            };
            let found = exactness.demand(&lowered.floats, &mut trial);
            match found {
                Ok(()) => return Ok(lowered.words),
                Err(TrialError::Cannot(Cannot::Inexact { .. }))
                    if self.features.replace(&exactness.inexact(&lowered.floats)) => {}
                Err(other) => return Err(other),
            }
        }
    }

    /// Drivers put off work until the first launch; an empty one has it done now.
    fn warm(&self, kernel: &Kernel) -> Result<(), Lost> {
        self.shared
            .machine()
            .launch(kernel, &vec![0; kernel.words])
            .map(drop)
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
    pub(super) memory: BTreeMap<u64, Buffer>,
}

impl Accelerator {
    /// The allocation that holds `ptr..ptr + bytes`, and where in it.
    fn find(&self, ptr: DevicePtr, bytes: u64) -> Option<(&Buffer, u64)> {
        let (&start, buffer) = self.memory.range(..=ptr.0).next_back()?;
        let at = ptr.0 - start;
        (at.checked_add(bytes)? <= buffer.bytes).then_some((buffer, at))
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
        let bytes = bytes.max(1).checked_next_multiple_of(ALIGN)?;
        if self.used.checked_add(bytes)? > self.capacity {
            return None;
        }
        let buffer = Buffer::new(&self.shared.gpu, bytes, Place::Device).ok()?;
        let address = buffer.address;
        self.used += bytes;
        self.memory.insert(address, buffer);
        Some(DevicePtr(address))
    }

    fn free(&mut self, ptr: DevicePtr) -> Status {
        match self.memory.remove(&ptr.0) {
            Some(buffer) => {
                self.used -= buffer.bytes;
                Status::Done
            }
            None => Status::Failed,
        }
    }

    unsafe fn copy_in(&mut self, ptr: DevicePtr, src: *const u8, bytes: u64) -> Status {
        let Some((buffer, at)) = self.find(ptr, bytes) else {
            return Status::Failed;
        };
        // SAFETY: the caller vouches for the source.
        let done = unsafe { self.shared.machine().write(buffer, at, src, bytes) };
        status(done.map(|()| false))
    }

    unsafe fn copy_out(&mut self, ptr: DevicePtr, dst: *mut u8, bytes: u64) -> Status {
        let Some((buffer, at)) = self.find(ptr, bytes) else {
            return Status::Failed;
        };
        // SAFETY: the caller vouches for the destination.
        let done = unsafe { self.shared.machine().read(buffer, at, dst, bytes) };
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
        let locate = |ptr, bytes| self.find(ptr, bytes).map(|_| ptr.0);
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
