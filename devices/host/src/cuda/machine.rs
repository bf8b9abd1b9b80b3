//! The open device as a machine: copies through pinned memory, two halves in turn, and launches.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use super::driver::Address;
use super::error::{CudaError, Lost};
use super::executor::{Executor, Mark};
use super::gpu::{Gpu, Memory, Pinned};
use super::kernel::Kernel;
use crate::args;
use crate::driven::{self, pieces};

/// Threads of a group.
const GROUP: u64 = 128;
/// Most groups of one launch.
const GROUPS: u64 = i32::MAX as u64;
const HALF: usize = 2 << 20;

/// One half of staging, and when the device is done with it.
struct Half {
    pinned: Pinned,
    mark: Mark,
}

impl Half {
    fn new(gpu: &Arc<Gpu>) -> Result<Self, CudaError> {
        Ok(Self {
            pinned: Pinned::new(gpu, HALF)?,
            mark: Mark::new(gpu)?,
        })
    }
}

/// Stream, staging and fault word; used by one thread at a time.
pub(super) struct Machine {
    executor: Executor,
    halves: [Half; 2],
    fault: Pinned,
    mark: Mark,
}

impl Machine {
    pub(super) fn new(gpu: &Arc<Gpu>, deadline: Duration) -> Result<Self, CudaError> {
        Ok(Self {
            executor: Executor::new(gpu, deadline)?,
            halves: [Half::new(gpu)?, Half::new(gpu)?],
            fault: Pinned::new(gpu, size_of::<u32>())?,
            mark: Mark::new(gpu)?,
        })
    }

    /// Has a step travel into its half.
    fn fetch(&mut self, from: Address, step: Option<(usize, (usize, usize))>) -> Result<(), Lost> {
        let Some((turn, (done, step))) = step else {
            return Ok(());
        };
        let half = &self.halves[turn % 2];
        let (from, staging) = (from + done as u64, half.pinned.host(step));
        self.executor.submit(&half.mark, |driver, stream| {
            // SAFETY: the half is left alone until its mark; `read`'s caller vouches for the source.
            unsafe { (driver.copy_out)(staging.cast(), from, step, stream) }
        })
    }

    fn settle(&mut self) -> Result<(), Lost> {
        let [first, second] = &self.halves;
        self.executor.wait(&first.mark)?;
        self.executor.wait(&second.mark)
    }

    fn run(&mut self, kernel: &Kernel, block: &[u64], groups: u32) -> Result<(), Lost> {
        let params = [block.as_ptr().cast_mut().cast::<c_void>()];
        self.executor.submit(&self.mark, |driver, stream| {
            // SAFETY: the function takes one block of this length, which the call copies; what the block
            // names is memory of this device, checked against what the module can reach.
            unsafe {
                (driver.launch)(
                    kernel.code.function,
                    groups,
                    1,
                    1,
                    GROUP as u32,
                    1,
                    1,
                    0,
                    stream,
                    params.as_ptr(),
                    std::ptr::null(),
                )
            }
        })?;
        self.executor.wait(&self.mark)
    }

    fn set_fault_word(&mut self, value: u32) {
        let word = self.fault.host(size_of::<u32>()).cast::<u32>();
        // SAFETY: the word is mapped and aligned, and no work runs.
        unsafe { word.write_volatile(value) };
    }

    fn fault_word(&self) -> u32 {
        let word = self.fault.host(size_of::<u32>()).cast::<u32>();
        // SAFETY: as above.
        unsafe { word.read_volatile() }
    }
}

impl driven::Machine for Machine {
    type Gpu = Gpu;
    type Memory = Memory;
    type Kernel = Kernel;
    type Lost = Lost;

    fn take(gpu: &Arc<Gpu>, bytes: u64) -> Option<Memory> {
        Memory::new(gpu, bytes).ok()
    }

    /// One half is filled while the other travels.
    unsafe fn write(
        &mut self,
        to: &Memory,
        at: u64,
        src: *const u8,
        bytes: u64,
    ) -> Result<(), Lost> {
        for (turn, (done, step)) in steps(bytes).enumerate() {
            let half = &self.halves[turn % 2];
            self.executor.wait(&half.mark)?;
            let staging = half.pinned.host(step);
            // SAFETY: `done` lies in the source.
            let from = unsafe { src.add(done) };
            // SAFETY: the caller vouches for the source; the half has room and does not travel.
            unsafe { std::ptr::copy_nonoverlapping(from, staging, step) };
            let to = to.address + at + done as u64;
            self.executor.submit(&half.mark, |driver, stream| {
                // SAFETY: the half is left alone until its mark; the caller vouches for the destination.
                unsafe { (driver.copy_in)(to, staging.cast(), step, stream) }
            })?;
        }
        self.settle()
    }

    /// One half is emptied while the other travels.
    unsafe fn read(
        &mut self,
        from: &Memory,
        at: u64,
        dst: *mut u8,
        bytes: u64,
    ) -> Result<(), Lost> {
        let from = from.address + at;
        let mut coming = steps(bytes).enumerate();
        let mut next = coming.next();
        self.fetch(from, next)?;
        while let Some((turn, (done, step))) = next {
            next = coming.next();
            self.fetch(from, next)?;
            let half = &self.halves[turn % 2];
            self.executor.wait(&half.mark)?;
            // SAFETY: `done` lies in the destination.
            let to = unsafe { dst.add(done) };
            // SAFETY: the caller vouches for the destination; the half holds `step` bytes that came.
            unsafe { std::ptr::copy_nonoverlapping(half.pinned.host(step), to, step) };
        }
        Ok(())
    }

    /// In launches that the device allows.
    fn launch(&mut self, kernel: &Kernel, block: &[u64]) -> Result<bool, Lost> {
        let mut block = block.to_vec();
        block[args::FAULT] = self.fault.address;
        let (base, end) = (block[args::BASE], block[args::END]);
        self.set_fault_word(0);
        for (done, step) in pieces(end - base, GROUPS * GROUP) {
            (block[args::BASE], block[args::END]) = (base + done, base + done + step);
            self.run(kernel, &block, step.div_ceil(GROUP).max(1) as u32)?;
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

/// Offsets and lengths that cover `bytes` by what a half holds.
fn steps(bytes: u64) -> impl Iterator<Item = (usize, usize)> {
    let bytes = bytes as usize;
    (0..bytes)
        .step_by(HALF)
        .map(move |at| (at, (bytes - at).min(HALF)))
}
