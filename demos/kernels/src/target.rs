//! Where kernels run, and the engine that brings them there.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use hotsled::{DeviceKind, Engine, Offload, PlugOptions};

/// The first argument with which this program is the device host; the engine starts it so.
pub const DEVICE_HOST: &str = "device-host";

/// What a device may take to come, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a kernel is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The section's CPU code; no device is plugged.
    Cpu,
    /// The simulated accelerator, and the CPU beside it.
    Sim,
    /// The first Vulkan device, and the CPU beside it.
    Vulkan,
    /// The first NVIDIA device through its CUDA driver, and the CPU beside it.
    Cuda,
}

impl Target {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Sim => "sim",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        }
    }

    /// What to plug for it.
    pub fn device(self) -> Option<DeviceKind> {
        match self {
            Self::Cpu => None,
            Self::Sim => Some(DeviceKind::Sim),
            Self::Vulkan => Some(DeviceKind::Vulkan),
            Self::Cuda => Some(DeviceKind::Cuda),
        }
    }

    /// Plugs its device, if it has one, with arguments for the device host; gives the device's name.
    ///
    /// # Errors
    /// Why it did not come, and what to do.
    pub fn plug(self, engine: &Engine, arguments: &[String]) -> Result<Option<String>, String> {
        let Some(kind) = self.device() else {
            return Ok(None);
        };
        let options = PlugOptions {
            kind,
            arguments: arguments.to_vec(),
            ..PlugOptions::default()
        };
        let name = engine.plug(options).map_err(|e| self.unplugged(&e))?;
        Ok(Some(name))
    }

    fn unplugged(self, error: &hotsled::Error) -> String {
        let hint = match self {
            Self::Vulkan => "; without hardware: apt-get install libvulkan1 mesa-vulkan-drivers",
            Self::Cpu | Self::Sim | Self::Cuda => "",
        };
        format!("{}: {error}{hint}", self.name())
    }
}

/// How an engine is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// Threads of its pool; none: one a core.
    pub workers: Option<usize>,
    /// One device chunk in so many is run on the CPU, too; 0: none.
    pub verify: u64,
    /// Only calls that repay it go to devices.
    pub measured: bool,
}

/// An engine whose devices are driven by `program`, this one or a test's.
///
/// # Errors
/// The engine's.
pub fn engine(program: PathBuf, setup: Setup) -> hotsled::Result<Engine> {
    let offload = match setup.measured {
        true => Offload::Measured,
        false => Offload::Always,
    };
    let engine = Engine::builder()
        .device_program(program, [DEVICE_HOST.into()])
        .handshake_deadline(PATIENCE)
        .lower_deadline(PATIENCE)
        .chunk_deadline(PATIENCE)
        .verify(setup.verify)
        .offload(offload);
    match setup.workers {
        Some(count) => engine.workers(count).start(),
        None => engine.start(),
    }
}
