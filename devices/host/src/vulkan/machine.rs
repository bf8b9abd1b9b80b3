//! The open device as a machine: copies through staging, and launches.

use std::sync::Arc;
use std::time::Duration;

use ash::vk;

use super::error::{Lost, VulkanError};
use super::executor::Executor;
use super::gpu::{Buffer, Gpu, Place};
use super::kernel::Kernel;
use crate::args;
use crate::driven::{self, pieces};
use crate::spirv::GROUP;

const STAGING: u64 = 4 << 20;
/// The fault word, behind it the spare word, and an argument block that is too long for push constants.
const CONTROL: u64 = 4096;
const BLOCK_AT: u64 = 64;

/// Queue, staging and control words; used by one thread at a time.
pub(super) struct Machine {
    gpu: Arc<Gpu>,
    executor: Executor,
    staging: Buffer,
    results: Buffer,
    control: Buffer,
}

impl Machine {
    pub(super) fn new(gpu: &Arc<Gpu>, deadline: Duration) -> Result<Self, VulkanError> {
        Ok(Self {
            gpu: gpu.clone(),
            executor: Executor::new(gpu, deadline)?,
            staging: Buffer::new(gpu, STAGING, Place::Staging)?,
            results: Buffer::new(gpu, STAGING, Place::Results)?,
            control: Buffer::new(gpu, CONTROL, Place::Results)?,
        })
    }

    fn copy(&mut self, way: Way, buffer: &Buffer, at: u64, bytes: u64) -> Result<(), Lost> {
        let region = vk::BufferCopy::default().size(bytes);
        let (from, to, region) = match way {
            Way::In => (self.staging.raw, buffer.raw, region.dst_offset(at)),
            Way::Out => (buffer.raw, self.results.raw, region.src_offset(at)),
        };
        self.executor.run(|device, commands| {
            // SAFETY: both ranges lie in their buffers, which live until the copy is done.
            unsafe { device.cmd_copy_buffer(commands, from, to, &[region]) };
        })
    }

    /// What is pushed: the block, or its address.
    fn push(&self, kernel: &Kernel, block: &[u64]) -> Vec<u8> {
        let bytes: Vec<u8> = block.iter().flat_map(|word| word.to_le_bytes()).collect();
        if !kernel.buffered {
            return bytes;
        }
        let there = self.control.host(BLOCK_AT, bytes.len() as u64);
        // SAFETY: the control buffer has room for the block, and no work runs.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), there, bytes.len()) };
        (self.control.address + BLOCK_AT).to_le_bytes().to_vec()
    }

    fn set_fault_word(&mut self, value: u32) {
        // SAFETY: the word is mapped and aligned, and no work runs.
        unsafe { self.control.host(0, 4).cast::<u32>().write_volatile(value) };
    }

    fn fault_word(&self) -> u32 {
        // SAFETY: as above.
        unsafe { self.control.host(0, 4).cast::<u32>().read_volatile() }
    }
}

impl driven::Machine for Machine {
    type Gpu = Gpu;
    type Memory = Buffer;
    type Kernel = Kernel;
    type Lost = Lost;

    fn take(gpu: &Arc<Gpu>, bytes: u64) -> Option<Buffer> {
        Buffer::new(gpu, bytes, Place::Device).ok()
    }

    /// Staging by staging.
    unsafe fn write(
        &mut self,
        to: &Buffer,
        at: u64,
        src: *const u8,
        bytes: u64,
    ) -> Result<(), Lost> {
        for (done, step) in steps(bytes) {
            // SAFETY: `done` lies in the source.
            let from = unsafe { src.add(done as usize) };
            let staging = self.staging.host(0, step);
            // SAFETY: the caller vouches for the source; staging has room for `step`.
            unsafe { std::ptr::copy_nonoverlapping(from, staging, step as usize) };
            self.copy(Way::In, to, at + done, step)?;
        }
        Ok(())
    }

    unsafe fn read(
        &mut self,
        from: &Buffer,
        at: u64,
        dst: *mut u8,
        bytes: u64,
    ) -> Result<(), Lost> {
        for (done, step) in steps(bytes) {
            self.copy(Way::Out, from, at + done, step)?;
            let staging = self.results.host(0, step);
            // SAFETY: `done` lies in the destination.
            let to = unsafe { dst.add(done as usize) };
            // SAFETY: the caller vouches for the destination; staging holds `step` bytes.
            unsafe { std::ptr::copy_nonoverlapping(staging, to, step as usize) };
        }
        Ok(())
    }

    /// In dispatches that the device allows.
    fn launch(&mut self, kernel: &Kernel, block: &[u64]) -> Result<bool, Lost> {
        let mut block = block.to_vec();
        block[args::FAULT] = self.control.address;
        let (base, end) = (block[args::BASE], block[args::END]);
        let most = u64::from(self.gpu.described.groups) * u64::from(GROUP);
        self.set_fault_word(0);
        for (done, step) in pieces(end - base, most) {
            (block[args::BASE], block[args::END]) = (base + done, base + done + step);
            let groups = step.div_ceil(u64::from(GROUP)).max(1) as u32;
            let pushed = self.push(kernel, &block);
            self.executor
                .run(|_, commands| kernel.record(commands, &pushed, groups))?;
            if self.fault_word() != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lose(&mut self) {
        self.executor.lose();
    }
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// Offsets and lengths that cover `bytes` by what staging holds.
fn steps(bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..bytes)
        .step_by(STAGING as usize)
        .map(move |at| (at, (bytes - at).min(STAGING)))
}
