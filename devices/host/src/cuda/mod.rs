//! NVIDIA devices through the CUDA driver, which assembles the PTX form.
//!
//! The driver's library is opened at run time. A process asks it once: what is plugged later is seen by the
//! next host process.

mod compiler;
mod described;
mod driver;
mod error;
mod executor;
mod gpu;
mod kernel;
mod machine;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use hotsled_link::DeviceInfo;

use crate::backend::Device;
use crate::cache::Cache;
use crate::driven::{Accelerator, Machine as _, Shared};
use crate::exact::{Exactness, Plain};
use compiler::Compiler;
pub use described::Described;
use driver::Driver;
pub use error::{Code, CudaError, Lost};
use gpu::{Gpu, Memory};
use machine::Machine;
use trial::Trial;

/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: i32 = 100;

/// Which device, and how to use it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its number in [`list`].
    pub number: usize,
    /// Most bytes to use; none: all of its memory.
    pub memory: Option<u64>,
    /// Longest wait for one piece of work.
    pub deadline: Duration,
    /// Accept float operations that are not exact on the device.
    pub bounded: bool,
    /// Where machine code is kept.
    pub cache: Cache,
}

/// Describes all devices.
///
/// # Errors
/// No driver, or one that fails. A driver without a device is none.
pub fn list() -> Result<Vec<Described>, CudaError> {
    driver()?.map_or(Ok(Vec::new()), described::all)
}

/// The driver, if it has a device.
fn driver() -> Result<Option<&'static Driver>, CudaError> {
    match Driver::open() {
        Ok(driver) => Ok(Some(driver)),
        Err(CudaError::Call { code, .. }) if code.number == NO_DEVICE => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tries every float operation that is left to the device; how each differs from the definition, if it does.
///
/// # Errors
/// As of [`device`].
pub fn survey(options: &Options) -> Result<Vec<(Plain, Option<String>)>, CudaError> {
    let (gpu, mut machine) = open(options)?;
    let mut trial = Trial {
        gpu: &gpu,
        machine: &mut machine,
    };
    Exactness::default().survey(&mut trial, true)
}

/// Opens a device, and sees that it works.
///
/// # Errors
/// No such device, one that cannot be driven, or one that does not do what it is told.
pub fn device(name: &str, options: &Options) -> Result<Device, CudaError> {
    let (gpu, machine) = open(options)?;
    let described = &gpu.described;
    let capacity = options.memory.unwrap_or(u64::MAX).min(described.memory);
    let info = DeviceInfo {
        name: name.to_owned(),
        kind: format!("{} (CUDA)", described.name),
        simulated: false,
        bounded: options.bounded,
        memory: capacity,
        bandwidth: 0,
        latency_ns: 0,
    };
    let shared = Shared::new(gpu, machine);
    let lowering = Box::new(Compiler {
        shared: shared.clone(),
        cache: options.cache.clone(),
        exactness: (!options.bounded).then(Exactness::default),
    });
    let backend = Box::new(Accelerator::new(shared, capacity));
    Ok(Device {
        info,
        lowering,
        backend,
    })
}

/// A device on which bytes go there and come back.
fn open(options: &Options) -> Result<(Arc<Gpu>, Machine), CudaError> {
    let number = options.number;
    let driver = driver()?.ok_or(CudaError::NoDevice { number, count: 0 })?;
    let described = choose(described::all(driver)?, number)?;
    let gpu = Gpu::open(driver, described)?;
    let mut machine = Machine::new(&gpu, options.deadline)?;
    probe(&gpu, &mut machine)?;
    Ok((gpu, machine))
}

fn choose(all: Vec<Described>, number: usize) -> Result<Described, CudaError> {
    let count = all.len();
    let chosen = all.into_iter().nth(number);
    let chosen = chosen.ok_or(CudaError::NoDevice { number, count })?;
    match &chosen.unfit {
        None => Ok(chosen),
        Some(reason) => Err(CudaError::Unfit {
            reason: reason.clone(),
            name: chosen.name,
        }),
    }
}

/// Bytes go to the device and come back.
fn probe(gpu: &Arc<Gpu>, machine: &mut Machine) -> Result<(), CudaError> {
    let sent: Vec<u8> = (0..=255).collect();
    let (mut back, bytes) = (vec![0; sent.len()], sent.len() as u64);
    let memory = Memory::new(gpu, bytes)?;
    // SAFETY: both are there for their length.
    unsafe { machine.write(&memory, 0, sent.as_ptr(), bytes)? };
    // SAFETY: as above.
    unsafe { machine.read(&memory, 0, back.as_mut_ptr(), bytes)? };
    if back == sent {
        Ok(())
    } else {
        Err(Lost::Memory.into())
    }
}
