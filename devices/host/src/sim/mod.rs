//! The simulated accelerator: memory of its own, code it lowers itself, a link with a bandwidth and a
//! latency. All its figures are simulated.

mod body;
mod code;
mod lower;
mod memory;
mod pace;

use std::io;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use hotsled_ir::{Access, ParamKind, Reach, Valid};
use hotsled_link::{DeviceInfo, DevicePtr, Launch, LaunchArg};

use crate::backend::{Backend, Device, Lowering, Status};
use code::Code;
use memory::Memory;
use pace::Pace;

pub use lower::{assembly, clif};

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
    /// then two words a parameter: scalar bits and 0, or the address element 0 would have and the
    /// whole length.
    fn block(&self, kernel: &Kernel, launch: &Launch) -> Option<Vec<u64>> {
        if launch.args.len() != kernel.params.len() || launch.base > launch.end {
            return None;
        }
        let mut block = vec![launch.base, launch.end];
        for ((arg, kind), access) in launch.args.iter().zip(&kernel.params).zip(&kernel.access) {
            match (*arg, *kind) {
                (LaunchArg::Scalar(bits), ParamKind::Scalar(_)) => block.extend([bits, 0]),
                (
                    LaunchArg::Slice {
                        ptr,
                        len,
                        first,
                        count,
                    },
                    ParamKind::Input(elem) | ParamKind::Own(elem) | ParamKind::Accumulator(elem, _),
                ) => {
                    let end = first.checked_add(count)?;
                    if reach(*access, launch, len)
                        .is_some_and(|wanted| first > wanted.start || end < wanted.end)
                    {
                        return None;
                    }
                    let host = self.memory.host(ptr.0, count.checked_mul(elem.size())?)?;
                    block.extend([
                        (host as u64).wrapping_sub(first.wrapping_mul(elem.size())),
                        len,
                    ]);
                }
                _ => return None,
            }
        }
        Some(block)
    }
}

/// Elements that a launch can touch; an empty range sits at its start, `None` touches nothing anywhere.
fn reach(access: Access, launch: &Launch, len: u64) -> Option<std::ops::Range<u64>> {
    let clip = |start: u64, end: u64| Some(start.min(end.min(len))..end.min(len));
    match access {
        Access::Scalar | Access::Input(Reach::Unused) => None,
        Access::Input(Reach::Whole) | Access::Accumulator => Some(0..len),
        Access::Input(Reach::Window { before, after }) => clip(
            launch.base.saturating_sub(before),
            launch.end.saturating_add(after),
        ),
        Access::Own { .. } => clip(launch.base, launch.end),
    }
}
