//! One queue: work is recorded, submitted, and waited for with a deadline.

use std::sync::Arc;
use std::time::Duration;

use ash::vk;

use super::error::{Lost, VulkanError};
use super::gpu::Gpu;

/// Runs one piece of work at a time.
pub(super) struct Executor {
    gpu: Arc<Gpu>,
    queue: vk::Queue,
    pool: vk::CommandPool,
    commands: vk::CommandBuffer,
    /// Counts finished submissions.
    timeline: vk::Semaphore,
    submitted: u64,
    deadline: Duration,
    lost: Option<Lost>,
    /// The next submission is answered as by a driver whose device is gone.
    lose: bool,
}

impl Executor {
    pub(super) fn new(gpu: &Arc<Gpu>, deadline: Duration) -> Result<Self, VulkanError> {
        let (device, family) = (&gpu.device, gpu.described.family);
        // SAFETY: the device was opened with a queue of this family.
        let queue = unsafe { device.get_device_queue(family, 0) };
        let mut this = Self {
            gpu: gpu.clone(),
            queue,
            pool: vk::CommandPool::null(),
            commands: vk::CommandBuffer::null(),
            timeline: vk::Semaphore::null(),
            submitted: 0,
            deadline,
            lost: None,
            lose: false,
        };
        let info = vk::CommandPoolCreateInfo::default().queue_family_index(family);
        // SAFETY: `info` is alive.
        let pool = unsafe { device.create_command_pool(&info, None) };
        this.pool = pool.map_err(VulkanError::call("making a command pool"))?;
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(this.pool)
            .command_buffer_count(1);
        // SAFETY: the pool is of this device.
        let commands = unsafe { device.allocate_command_buffers(&info) };
        this.commands = commands.map_err(VulkanError::call("making a command buffer"))?[0];
        let mut kind =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: `info` is alive.
        let timeline = unsafe { device.create_semaphore(&info, None) };
        this.timeline = timeline.map_err(VulkanError::call("making a semaphore"))?;
        Ok(this)
    }

    /// Has the driver report the device as lost from the next submission on.
    pub(super) fn lose(&mut self) {
        self.lose = true;
    }

    /// Records by `record`, submits, and waits until it is done.
    ///
    /// # Errors
    /// [`Lost`], now and from now on. Of work that did not end, all memory stays in use for ever.
    pub(super) fn run(
        &mut self,
        record: impl FnOnce(&ash::Device, vk::CommandBuffer),
    ) -> Result<(), Lost> {
        if self.lost.is_some() {
            return Err(Lost::Before);
        }
        let done = self
            .record(record)
            .and_then(|()| self.submit())
            .map_err(Lost::Driver);
        let done = done.and_then(|()| self.wait());
        if let Err(lost) = done {
            self.lost = Some(lost);
            self.gpu.quarantine();
        }
        done
    }

    fn record(
        &mut self,
        record: impl FnOnce(&ash::Device, vk::CommandBuffer),
    ) -> Result<(), vk::Result> {
        let (device, commands) = (&self.gpu.device, self.commands);
        // SAFETY: no submission is pending: each is waited for.
        unsafe { device.reset_command_pool(self.pool, vk::CommandPoolResetFlags::empty())? };
        let once = vk::CommandBufferBeginInfo::default()
            .flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: the command buffer is reset.
        unsafe { device.begin_command_buffer(commands, &once)? };
        barrier(device, commands);
        record(device, commands);
        barrier(device, commands);
        // SAFETY: it is being recorded.
        unsafe { device.end_command_buffer(commands) }
    }

    fn submit(&mut self) -> Result<(), vk::Result> {
        if self.lose {
            return Err(vk::Result::ERROR_DEVICE_LOST);
        }
        self.submitted += 1;
        let (commands, semaphores, values) = ([self.commands], [self.timeline], [self.submitted]);
        let mut timeline =
            vk::TimelineSemaphoreSubmitInfo::default().signal_semaphore_values(&values);
        let info = vk::SubmitInfo::default()
            .command_buffers(&commands)
            .signal_semaphores(&semaphores)
            .push_next(&mut timeline);
        // SAFETY: the queue is used by this executor alone; the commands are recorded.
        unsafe {
            self.gpu
                .device
                .queue_submit(self.queue, &[info], vk::Fence::null())
        }
    }

    fn wait(&mut self) -> Result<(), Lost> {
        let (semaphores, values) = ([self.timeline], [self.submitted]);
        let info = vk::SemaphoreWaitInfo::default()
            .semaphores(&semaphores)
            .values(&values);
        let limit = self.deadline.as_nanos().min(u128::from(u64::MAX)) as u64;
        // SAFETY: the semaphore is of this device; `info` is alive.
        match unsafe { self.gpu.device.wait_semaphores(&info, limit) } {
            Ok(()) => Ok(()),
            Err(vk::Result::TIMEOUT) => Err(Lost::Hung(self.deadline.as_millis() as u64)),
            Err(result) => Err(Lost::Driver(result)),
        }
    }
}

/// Everything before is visible to everything after, host included.
fn barrier(device: &ash::Device, commands: vk::CommandBuffer) {
    let all = vk::MemoryBarrier::default()
        .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
        .dst_access_mask(vk::AccessFlags::MEMORY_READ | vk::AccessFlags::MEMORY_WRITE);
    let before = vk::PipelineStageFlags::ALL_COMMANDS;
    let after = before | vk::PipelineStageFlags::HOST;
    let none = vk::DependencyFlags::empty();
    // SAFETY: the command buffer is being recorded, outside any render pass.
    unsafe { device.cmd_pipeline_barrier(commands, before, after, none, &[all], &[], &[]) };
}

impl Drop for Executor {
    fn drop(&mut self) {
        if self.gpu.is_quarantined() {
            return;
        }
        // SAFETY: no submission is pending; null is allowed.
        unsafe { self.gpu.device.destroy_semaphore(self.timeline, None) };
        // SAFETY: as above; the command buffer goes with it.
        unsafe { self.gpu.device.destroy_command_pool(self.pool, None) };
    }
}
