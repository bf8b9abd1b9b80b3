//! The control half of the device.

use hotsled_ir::Valid;

use super::error::CudaError;
use super::kernel::Kernel;
use super::machine::Machine;
use super::trial::Trial;
use crate::backend::Lowering;
use crate::cache::Cache;
use crate::driven::Shared;
use crate::exact::Exactness;
use crate::ptx;

/// The control half.
pub(super) struct Compiler {
    pub(super) shared: Shared<Machine>,
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
        Ok(self.shared.keep(kernel))
    }
}
