//! Modules on trial, run by an open device.

use std::sync::Arc;

use hotsled_ir::{Valid, interp};

use super::error::CudaError;
use super::gpu::{Gpu, Memory};
use super::kernel::Kernel;
use super::machine::Machine;
use crate::cache::Cache;
use crate::driven::Machine as _;
use crate::exact::Tried;
use crate::ptx;

/// An open device that tries modules.
pub(super) struct Trial<'a> {
    pub(super) gpu: &'a Arc<Gpu>,
    pub(super) machine: &'a mut Machine,
}

impl Tried for Trial<'_> {
    type Error = CudaError;

    fn run(
        &mut self,
        module: &Valid,
        args: &[interp::Arg],
        count: u64,
    ) -> Result<Vec<Vec<u8>>, CudaError> {
        let lowered = ptx::lower(module, ptx::BASE_ARCHITECTURE)?;
        let kernel = Kernel::new(self.gpu, module, &lowered.text, &Cache::OFF)?;
        let (mut block, mut all) = (vec![0, count, 0], Vec::new());
        for arg in args {
            all.push(self.give(arg, count, &mut block)?);
        }
        self.machine.launch(&kernel, &block)?;
        let taken = all.iter().map(|memory| self.take(memory.as_ref()));
        taken.collect()
    }
}

impl Trial<'_> {
    /// One argument's words, and its memory if it is a slice.
    fn give(
        &mut self,
        arg: &interp::Arg,
        count: u64,
        block: &mut Vec<u64>,
    ) -> Result<Option<Memory>, CudaError> {
        let bytes = match arg {
            interp::Arg::Slice(bytes) => bytes,
            interp::Arg::Scalar(value) => {
                block.push(value.bits());
                return Ok(None);
            }
        };
        let memory = Memory::new(self.gpu, bytes.len() as u64)?;
        // SAFETY: both are there for this length.
        unsafe {
            self.machine
                .write(&memory, 0, bytes.as_ptr(), memory.bytes)?
        };
        block.extend([memory.address, count]);
        Ok(Some(memory))
    }

    fn take(&mut self, memory: Option<&Memory>) -> Result<Vec<u8>, CudaError> {
        let Some(memory) = memory else {
            return Ok(Vec::new());
        };
        let mut bytes = vec![0; memory.bytes as usize];
        let to = bytes.as_mut_ptr();
        // SAFETY: both are there for this length.
        unsafe { self.machine.read(memory, 0, to, memory.bytes)? };
        Ok(bytes)
    }
}
