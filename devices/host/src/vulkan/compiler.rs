//! The control half of the device.

use hotsled_ir::Valid;

use super::error::Lost;
use super::kernel::Kernel;
use super::machine::Machine;
use super::trial::{Trial, TrialError};
use crate::backend::Lowering;
use crate::cache::Cache;
use crate::cannot::Cannot;
use crate::driven::{Machine as _, Shared};
use crate::exact::Exactness;
use crate::spirv::{self, Features};

/// The control half.
pub(super) struct Compiler {
    pub(super) shared: Shared<Machine>,
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
        Ok(self.shared.keep(kernel))
    }
}
