//! Any Vulkan 1.2 device: discrete, integrated, or a driver that computes on the CPU.
//!
//! The loader is opened at run time. A device needs 64-bit integers, timeline semaphores and buffer
//! addresses; what else it has decides what can be lowered for it.

mod compiler;
mod described;
mod error;
mod executor;
mod gpu;
mod instance;
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
use crate::spirv::Features;
use compiler::Compiler;
pub use described::Described;
pub use error::{Lost, VulkanError};
use gpu::{Buffer, Gpu, Place};
use instance::Instance;
use machine::Machine;
use trial::{Trial, TrialError};

/// Which device, and how to use it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its number in [`list`].
    pub number: usize,
    /// Most bytes to use; none: all of its memory.
    pub memory: Option<u64>,
    /// Longest wait for one piece of work.
    pub deadline: Duration,
    /// Have the validation layer watch; its first message ends the process.
    pub validate: bool,
    /// Leave out the features that a device may lack or get wrong, to test what replaces them.
    pub plain: bool,
    /// Accept float operations that are not exact on the device.
    pub bounded: bool,
    /// Where compiled code is kept.
    pub cache: Cache,
}

/// Describes all devices, by an instance of its own.
///
/// # Errors
/// No loader, or a driver that fails.
pub fn list() -> Result<Vec<Described>, VulkanError> {
    let instance = Instance::new(false)?;
    describe_all(&instance)
}

fn describe_all(instance: &Instance) -> Result<Vec<Described>, VulkanError> {
    let all = instance.physical_devices()?;
    Ok(all
        .into_iter()
        .map(|physical| described::describe(instance, physical))
        .collect())
}

/// Tries every float operation that is left to the device; how each differs from the definition, if it does.
///
/// # Errors
/// As of [`device`].
pub fn survey(options: &Options) -> Result<Vec<(Plain, Option<String>)>, VulkanError> {
    let mut open = Open::new(options)?;
    let features = open.features()?;
    Ok(Exactness::default().survey(&mut open.trial(features), features.float64)?)
}

/// Opens a device, and sees that it works.
///
/// # Errors
/// No such device, one that cannot be driven, or one that does not do what it is told.
pub fn device(name: &str, options: &Options) -> Result<Device, VulkanError> {
    let mut open = Open::new(options)?;
    let features = open.features()?;
    let Open { gpu, machine } = open;
    let described = &gpu.described;
    let capacity = options.memory.unwrap_or(u64::MAX).min(described.memory);
    let info = DeviceInfo {
        name: name.to_owned(),
        kind: format!("{} (Vulkan, {})", described.name, described.kind),
        simulated: false,
        bounded: options.bounded,
        memory: capacity,
        bandwidth: 0,
        latency_ns: 0,
    };
    let shared = Shared::new(gpu, machine);
    let lowering = Box::new(Compiler {
        shared: shared.clone(),
        features,
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

/// An open device on which bytes go there and come back.
struct Open {
    gpu: Arc<Gpu>,
    machine: Machine,
}

impl Open {
    fn new(options: &Options) -> Result<Self, VulkanError> {
        let instance = Instance::new(options.validate)?;
        let mut described = choose(describe_all(&instance)?, options.number)?;
        if options.plain {
            described.features = described.features.plain();
        }
        let gpu = Gpu::open(instance, described)?;
        let mut machine = Machine::new(&gpu, options.deadline)?;
        probe(&gpu, &mut machine)?;
        Ok(Self { gpu, machine })
    }

    fn trial(&mut self, features: Features) -> Trial<'_> {
        Trial {
            gpu: &self.gpu,
            machine: &mut self.machine,
            features,
        }
    }

    /// What the device says that it can, and what it turns out to do.
    fn features(&mut self) -> Result<Features, VulkanError> {
        let mut features = self.gpu.described.features;
        features.folds = trial::folds(&mut self.trial(features))?;
        features.cuts = trial::cuts(&mut self.trial(features))?;
        features.replaced.divide |= trial::misdivides(&mut self.trial(features))?;
        Ok(features)
    }
}

fn choose(all: Vec<Described>, number: usize) -> Result<Described, VulkanError> {
    let count = all.len();
    let chosen = all.into_iter().nth(number);
    let chosen = chosen.ok_or(VulkanError::NoDevice { number, count })?;
    let reason = match (&chosen.unfit, chosen.memory) {
        (Some(reason), _) => reason.clone(),
        (None, 0) => "it says that it has no memory of its own".into(),
        _ => return Ok(chosen),
    };
    Err(VulkanError::Unfit {
        name: chosen.name,
        reason,
    })
}

/// Bytes go to the device and come back: one that still hangs from an earlier life fails here.
fn probe(gpu: &Arc<Gpu>, machine: &mut Machine) -> Result<(), VulkanError> {
    let sent: Vec<u8> = (0..=255).collect();
    let mut back = vec![0; sent.len()];
    let buffer = Buffer::new(gpu, sent.len() as u64, Place::Device)?;
    // SAFETY: `sent` is readable for its length.
    unsafe { machine.write(&buffer, 0, sent.as_ptr(), sent.len() as u64)? };
    // SAFETY: `back` is writable for its length.
    unsafe { machine.read(&buffer, 0, back.as_mut_ptr(), sent.len() as u64)? };
    if back == sent {
        Ok(())
    } else {
        Err(Lost::Memory.into())
    }
}

impl From<TrialError> for VulkanError {
    fn from(error: TrialError) -> Self {
        match error {
            TrialError::Vulkan(error) => error,
            TrialError::Cannot(cannot) => Self::Unlowered(cannot),
        }
    }
}
