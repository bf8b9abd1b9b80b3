//! The simulated accelerator: memory of its own, code it lowers itself, a link with a bandwidth and a
//! latency. All its figures are simulated.

mod body;
mod code;
mod group;
mod lower;
mod memory;
mod pace;
mod scalar;

use std::io;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use hotsled_ir::{Access, ParamKind, Valid};
use hotsled_link::{DeviceInfo, DevicePtr, Launch};

use crate::backend::{Backend, Device, Lowering, Status};
use crate::launch::{Given, given};
use code::Code;
use memory::Memory;
use pace::Pace;

pub use lower::{assembly, clif, lanes};

/// What is modelled.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes per second of the link; 0 does not pace.
    pub bandwidth: u64,
    /// Added to every copy and launch.
    pub latency: Duration,
}

/// A module as the device keeps it.
struct Kernel {
    code: Code,
    params: Vec<ParamKind>,
    access: Vec<Access>,
}

type Kernels = Arc<RwLock<Vec<Arc<Kernel>>>>;

/// Makes a simulated accelerator.
///
/// # Errors
/// When the host cannot give it its memory.
pub fn device(name: &str, model: Model) -> io::Result<Device> {
    let kernels = Kernels::default();
    let info = DeviceInfo {
        name: name.to_owned(),
        kind: "simulated accelerator".to_owned(),
        simulated: true,
        bounded: false,
        memory: model.memory,
        bandwidth: model.bandwidth,
        latency_ns: model.latency.as_nanos() as u64,
    };
    let lowering = Box::new(Compiler {
        kernels: kernels.clone(),
    });
    let memory = Memory::new(model.memory)?;
    let backend = Box::new(Accelerator {
        memory,
        kernels,
        pace: Pace::new(model.bandwidth, model.latency),
    });
    Ok(Device {
        info,
        lowering,
        backend,
    })
}

struct Compiler {
    kernels: Kernels,
}

impl Lowering for Compiler {
    fn lower(&mut self, module: &Valid) -> Result<u32, String> {
        let machine_code = lower::compile(module)?;
        let code = Code::publish(&machine_code).map_err(|e| format!("publishing code: {e}"))?;
        let params = module.params.iter().map(|p| p.kind).collect();
        let kernel = Arc::new(Kernel {
            code,
            params,
            access: hotsled_ir::access(module),
        });
        let mut kernels = self.kernels.write().unwrap_or_else(|e| e.into_inner());
        kernels.push(kernel);
        Ok(kernels.len() as u32 - 1)
    }
}

struct Accelerator {
    memory: Memory,
    kernels: Kernels,
    pace: Pace,
}

impl Backend for Accelerator {
    fn alloc(&mut self, bytes: u64) -> Option<DevicePtr> {
        self.memory.alloc(bytes).map(DevicePtr)
    }

    fn free(&mut self, ptr: DevicePtr) -> Status {
        if self.memory.free(ptr.0) {
            Status::Done
        } else {
            Status::Failed
        }
    }

    unsafe fn copy_in(&mut self, ptr: DevicePtr, src: *const u8, bytes: u64) -> Status {
        let _paced = self.pace.copy(bytes);
        let Some(dst) = self.memory.host(ptr.0, bytes) else {
            return Status::Failed;
        };
        // SAFETY: the caller vouches for the source; the destination is device memory in bounds.
        unsafe { std::ptr::copy_nonoverlapping(src, dst, bytes as usize) };
        Status::Done
    }

    unsafe fn copy_out(&mut self, ptr: DevicePtr, dst: *mut u8, bytes: u64) -> Status {
        let _paced = self.pace.copy(bytes);
        let Some(src) = self.memory.host(ptr.0, bytes) else {
            return Status::Failed;
        };
        // SAFETY: the caller vouches for the destination; the source is device memory in bounds.
        unsafe { std::ptr::copy_nonoverlapping(src, dst, bytes as usize) };
        Status::Done
    }

    fn launch(&mut self, launch: &Launch) -> Status {
        let _paced = self.pace.launch();
        let kernels = self.kernels.read().unwrap_or_else(|e| e.into_inner());
        let Some(kernel) = kernels.get(launch.module.0 as usize).cloned() else {
            return Status::Failed;
        };
        drop(kernels);
        let Some(block) = self.block(&kernel, launch) else {
            return Status::Failed;
        };
        // SAFETY: `block` checked that every element the code can reach is in device memory.
        match unsafe { kernel.code.run(&block) } {
            0 => Status::Done,
            _ => Status::Faulted,
        }
    }
}

impl Accelerator {
    /// The argument block, if the launch gives each parameter what its module can reach: base, end,
    /// then two words a parameter: scalar bits and 0, or a slice's address and length.
    fn block(&self, kernel: &Kernel, launch: &Launch) -> Option<Vec<u64>> {
        let locate = |ptr: DevicePtr, bytes| Some(self.memory.host(ptr.0, bytes)? as u64);
        let given = given(&kernel.params, &kernel.access, launch, locate)?;
        let words = given.into_iter().flat_map(|given| match given {
            Given::Scalar(bits) => [bits, 0],
            Given::Slice { address, len } => [address, len],
        });
        Some([launch.base, launch.end].into_iter().chain(words).collect())
    }
}
