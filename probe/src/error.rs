//! Why nothing was adopted or redirected.

use hotsled_patcher::PatchError;
use hotsled_trampolines::TrampolineError;

use crate::{FunctionId, ModuleError};

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The module's table is not to be had.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The patcher refused or failed.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// There is no room for gates near the module, or they cannot be made.
    #[error(transparent)]
    Gates(#[from] TrampolineError),
    /// Own memory cannot be read.
    #[error("cannot read own memory: {0}; mount /proc")]
    Memory(#[from] std::io::Error),
    /// The processor cannot save its flags in two instructions.
    #[error("this processor has no lahf in 64-bit mode; no x86-64 made since 2006 lacks it")]
    Processor,
    /// Nobody adopted this function.
    #[error("function {0:?} is not adopted")]
    Unknown(FunctionId),
}
