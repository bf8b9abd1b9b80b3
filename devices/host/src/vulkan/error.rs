//! Why there is no Vulkan device to serve.

use ash::vk;

use crate::cannot::Cannot;

/// A device that cannot be found, opened or trusted.
#[derive(Debug, thiserror::Error)]
pub enum VulkanError {
    /// No loader library on this machine.
    #[error("no Vulkan loader ({0}); install one, e.g. apt-get install libvulkan1")]
    NoLoader(String),
    /// Validation was asked for.
    #[error(
        "the Khronos validation layer is not installed: apt-get install vulkan-validationlayers"
    )]
    NoValidation,
    /// No device of this number.
    #[error(
        "there is no Vulkan device {number}; {count} were found (hotsled-device vulkan --list)"
    )]
    NoDevice {
        /// The number asked for.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// A device that cannot be driven.
    #[error("{name} cannot be driven: {reason}")]
    Unfit {
        /// Its name.
        name: String,
        /// What it lacks.
        reason: String,
    },
    /// A call failed.
    #[error("{step}: {result:?}")]
    Call {
        /// What was being done.
        step: &'static str,
        /// What the driver said.
        result: vk::Result,
    },
    /// A module on trial could not be lowered.
    #[error("a first trial: {0}")]
    Unlowered(Cannot),
    /// The device was opened and does not work.
    #[error("the device does not work: {0}")]
    Broken(#[from] Lost),
}

impl VulkanError {
    pub(super) fn call(step: &'static str) -> impl Fn(vk::Result) -> Self {
        move |result| Self::Call { step, result }
    }
}

/// The device is of no use any more; nothing in its memory counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The driver says so.
    #[error("the driver reports {0:?}")]
    Driver(vk::Result),
    /// Work did not end. It still runs: memory and objects that it may use are never given back.
    #[error("work did not end within {0} ms; the device is quarantined")]
    Hung(u64),
    /// It was lost or quarantined before.
    #[error("the device was lost before")]
    Before,
    /// What was written did not come back.
    #[error("its memory does not hold what is written")]
    Memory,
}
