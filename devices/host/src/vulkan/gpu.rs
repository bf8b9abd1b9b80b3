//! A logical device, and objects that live in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ash::vk;

use super::described::Described;
use super::error::VulkanError;
use super::instance::Instance;
use crate::driven;

/// An open device. Once quarantined, nothing of it is ever given back: work that did not end may still
/// use all of it.
pub(super) struct Gpu {
    pub(super) device: ash::Device,
    pub(super) described: Described,
    memory: vk::PhysicalDeviceMemoryProperties,
    quarantined: AtomicBool,
    instance: std::mem::ManuallyDrop<Instance>,
}

impl Gpu {
    pub(super) fn open(instance: Instance, described: Described) -> Result<Arc<Self>, VulkanError> {
        let queues = [vk::DeviceQueueCreateInfo::default()
            .queue_family_index(described.family)
            .queue_priorities(&[1.0])];
        let features = described.features;
        let core = vk::PhysicalDeviceFeatures::default()
            .shader_int64(true)
            .shader_float64(features.float64);
        let mut v11 = vk::PhysicalDeviceVulkan11Features::default()
            .storage_buffer16_bit_access(features.storage16);
        let mut v12 = vk::PhysicalDeviceVulkan12Features::default()
            .timeline_semaphore(true)
            .buffer_device_address(true)
            .storage_buffer8_bit_access(features.storage8)
            .shader_buffer_int64_atomics(features.atomics64);
        let info = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_features(&core)
            .push_next(&mut v11)
            .push_next(&mut v12);
        // SAFETY: the device is of this instance and has these features; `info` is alive.
        let device = unsafe { instance.raw.create_device(described.physical, &info, None) };
        let device = device.map_err(VulkanError::call("opening the device"))?;
        // SAFETY: the device is of this instance.
        let memory = unsafe {
            instance
                .raw
                .get_physical_device_memory_properties(described.physical)
        };
        Ok(Arc::new(Self {
            device,
            described,
            memory,
            quarantined: AtomicBool::new(false),
            instance: std::mem::ManuallyDrop::new(instance),
        }))
    }

    /// From now on all that is dropped is leaked instead.
    pub(super) fn quarantine(&self) {
        self.quarantined.store(true, Ordering::Release);
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Acquire)
    }

    /// A memory type among `allowed` that has all of `wanted`.
    fn memory_type(&self, allowed: u32, wanted: vk::MemoryPropertyFlags) -> Option<u32> {
        let types = self.memory.memory_types_as_slice();
        let fits = |n: &usize| allowed & 1 << n != 0 && types[*n].property_flags.contains(wanted);
        (0..types.len()).find(fits).map(|n| n as u32)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if self.is_quarantined() {
            return;
        }
        // SAFETY: everything made from the device keeps it alive and is gone; no work runs.
        unsafe { self.device.destroy_device(None) };
        // SAFETY: dropped once, here.
        unsafe { std::mem::ManuallyDrop::drop(&mut self.instance) };
    }
}

/// A buffer with memory of its own.
pub(super) struct Buffer {
    gpu: Arc<Gpu>,
    pub(super) raw: vk::Buffer,
    memory: vk::DeviceMemory,
    pub(super) address: u64,
    pub(super) bytes: u64,
    /// Where the host sees it; null for device memory.
    mapped: *mut u8,
}

// SAFETY: the mapping belongs to the buffer; who has the buffer may use it from any thread.
unsafe impl Send for Buffer {}

/// Who uses a buffer.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// The device alone.
    Device,
    /// The host writes and the device reads; mapped.
    Staging,
    /// The device writes and the host reads; mapped, and cached where the device has such memory: without
    /// a cache the host reads a few hundred megabytes a second.
    Results,
}

impl Buffer {
    pub(super) fn new(gpu: &Arc<Gpu>, bytes: u64, place: Place) -> Result<Self, VulkanError> {
        let info = vk::BufferCreateInfo::default().size(bytes).usage(
            vk::BufferUsageFlags::STORAGE_BUFFER
                | vk::BufferUsageFlags::TRANSFER_SRC
                | vk::BufferUsageFlags::TRANSFER_DST
                | vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS,
        );
        // SAFETY: `info` is alive.
        let raw = unsafe { gpu.device.create_buffer(&info, None) };
        let raw = raw.map_err(VulkanError::call("making a buffer"))?;
        let mut this = Self {
            gpu: gpu.clone(),
            raw,
            memory: vk::DeviceMemory::null(),
            address: 0,
            bytes,
            mapped: std::ptr::null_mut(),
        };
        this.back(place)?;
        Ok(this)
    }

    fn back(&mut self, place: Place) -> Result<(), VulkanError> {
        let device = &self.gpu.device;
        // SAFETY: the buffer is of this device.
        let needs = unsafe { device.get_buffer_memory_requirements(self.raw) };
        let of = |wanted| self.gpu.memory_type(needs.memory_type_bits, wanted);
        let mapped = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let kind = match place {
            Place::Device => of(vk::MemoryPropertyFlags::DEVICE_LOCAL),
            Place::Staging => of(mapped),
            Place::Results => of(mapped | vk::MemoryPropertyFlags::HOST_CACHED).or(of(mapped)),
        };
        let kind = kind.ok_or(VulkanError::Call {
            step: "choosing memory",
            result: vk::Result::ERROR_FEATURE_NOT_PRESENT,
        })?;
        let mut flags =
            vk::MemoryAllocateFlagsInfo::default().flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS);
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(needs.size)
            .memory_type_index(kind)
            .push_next(&mut flags);
        // SAFETY: `info` is alive.
        let memory = unsafe { device.allocate_memory(&info, None) };
        self.memory = memory.map_err(VulkanError::call("taking memory"))?;
        // SAFETY: both are new and of this device, and fit each other.
        let bound = unsafe { device.bind_buffer_memory(self.raw, self.memory, 0) };
        bound.map_err(VulkanError::call("binding memory"))?;
        let info = vk::BufferDeviceAddressInfo::default().buffer(self.raw);
        // SAFETY: the buffer has memory and was made for having an address.
        self.address = unsafe { device.get_buffer_device_address(&info) };
        if place != Place::Device {
            let whole = vk::WHOLE_SIZE;
            // SAFETY: the memory is visible to the host and not mapped.
            let mapped =
                unsafe { device.map_memory(self.memory, 0, whole, vk::MemoryMapFlags::empty()) };
            self.mapped = mapped.map_err(VulkanError::call("mapping memory"))?.cast();
        }
        Ok(())
    }

    /// Where the host sees `at..at + bytes`.
    ///
    /// # Panics
    /// When the range lies outside, or the buffer is not staging.
    pub(super) fn host(&self, at: u64, bytes: u64) -> *mut u8 {
        let inside = at.checked_add(bytes).is_some_and(|end| end <= self.bytes);
        assert!(inside && !self.mapped.is_null(), "a range outside staging");
        // SAFETY: the range lies in the mapping.
        unsafe { self.mapped.add(at as usize) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.gpu.is_quarantined() {
            return;
        }
        // SAFETY: no work uses the buffer: each submission is waited for.
        unsafe { self.gpu.device.destroy_buffer(self.raw, None) };
        // SAFETY: as above; null is allowed, and mapped memory is unmapped with it.
        unsafe { self.gpu.device.free_memory(self.memory, None) };
    }
}

impl driven::Memory for Buffer {
    fn address(&self) -> u64 {
        self.address
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
