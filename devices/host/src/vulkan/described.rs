//! What a physical device says of itself, and whether it can be driven.

use std::ffi::CStr;
use std::fmt;

use ash::vk;

use super::instance::Instance;
use crate::spirv::{Controls, Features, GROUP};

/// One physical device.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Described {
    #[serde(skip)]
    pub(super) physical: vk::PhysicalDevice,
    /// Its name.
    pub name: String,
    /// Kind of device: discrete, integrated, virtual, cpu, other.
    pub kind: &'static str,
    /// Driver and its version, in its own words.
    pub driver: String,
    /// Vulkan version.
    pub api: (u32, u32, u32),
    /// Bytes of memory of its own.
    pub memory: u64,
    /// What lowering may use.
    pub features: Features,
    /// Device, driver and its version, as caches tell them apart.
    #[serde(skip)]
    pub(super) identity: Vec<u8>,
    /// Why it cannot be driven.
    pub unfit: Option<String>,
    /// Groups of one dispatch.
    #[serde(skip)]
    pub(super) groups: u32,
    #[serde(skip)]
    pub(super) family: u32,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.api;
        write!(f, "{}, {}, {}", self.name, self.kind, self.driver.trim())?;
        write!(
            f,
            ", Vulkan {major}.{minor}.{patch}, {} MiB",
            self.memory >> 20
        )?;
        match &self.unfit {
            Some(reason) => write!(f, "; cannot be driven: {reason}"),
            None => Ok(()),
        }
    }
}

/// Asks for everything; nothing in it is believed beyond what makes sense.
pub(super) fn describe(instance: &Instance, physical: vk::PhysicalDevice) -> Described {
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut controls = vk::PhysicalDeviceFloatControlsProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default();
    // SAFETY: asking an old device for properties of 1.2 leaves them zero, and it is found unfit.
    let basic = unsafe { instance.raw.get_physical_device_properties(physical) };
    let recent = basic.api_version >= vk::API_VERSION_1_2;
    if recent {
        properties = properties.push_next(&mut driver).push_next(&mut controls);
        // SAFETY: the device is of this instance and knows these structures.
        unsafe {
            instance
                .raw
                .get_physical_device_properties2(physical, &mut properties)
        };
    }
    let (family, missing, mut features) = abilities(instance, physical, recent);
    (features.controls32, features.controls64) = float_controls(&controls);
    features.replaced.divide = misdivides_at_times(driver.driver_id);
    let version = basic.api_version;
    Described {
        physical,
        name: text(basic.device_name_as_c_str().ok()),
        kind: kind(basic.device_type),
        driver: format!(
            "{} {}",
            text(driver.driver_name_as_c_str().ok()),
            text(driver.driver_info_as_c_str().ok())
        ),
        api: (
            vk::api_version_major(version),
            vk::api_version_minor(version),
            vk::api_version_patch(version),
        ),
        memory: memory(instance, physical),
        features,
        identity: identity(&basic),
        unfit: missing,
        groups: basic.limits.max_compute_work_group_count[0].clamp(1, u32::MAX / GROUP),
        family,
    }
}

/// NVIDIA's driver 580.159 gives wrong 64-bit remainders in some modules (the kernel `lattice-boltzmann` on an
/// H200, whose neighbours were off by one) and right ones in smaller modules with the same divisions, so that
/// no trial can clear it.
fn misdivides_at_times(driver: vk::DriverId) -> bool {
    driver == vk::DriverId::NVIDIA_PROPRIETARY
}

fn identity(of: &vk::PhysicalDeviceProperties) -> Vec<u8> {
    let numbers = [of.vendor_id, of.device_id, of.driver_version].map(u32::to_le_bytes);
    [numbers.as_flattened(), &of.pipeline_cache_uuid].concat()
}

fn text(c: Option<&CStr>) -> String {
    c.map(|c| c.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn kind(of: vk::PhysicalDeviceType) -> &'static str {
    match of {
        vk::PhysicalDeviceType::DISCRETE_GPU => "discrete GPU",
        vk::PhysicalDeviceType::INTEGRATED_GPU => "integrated GPU",
        vk::PhysicalDeviceType::VIRTUAL_GPU => "virtual GPU",
        vk::PhysicalDeviceType::CPU => "CPU driver",
        _ => "other",
    }
}

/// Compute family, what is missing, and what lowering may use.
fn abilities(
    instance: &Instance,
    physical: vk::PhysicalDevice,
    recent: bool,
) -> (u32, Option<String>, Features) {
    let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut all = vk::PhysicalDeviceFeatures2::default();
    if recent {
        all = all.push_next(&mut v11).push_next(&mut v12);
        // SAFETY: the device is of this instance and knows these structures.
        unsafe {
            instance
                .raw
                .get_physical_device_features2(physical, &mut all)
        };
    }
    let core = all.features;
    // SAFETY: the device is of this instance.
    let families = unsafe {
        instance
            .raw
            .get_physical_device_queue_family_properties(physical)
    };
    let compute = families
        .iter()
        .position(|f| f.queue_flags.contains(vk::QueueFlags::COMPUTE));
    let needs = [
        (recent, "Vulkan 1.2"),
        (compute.is_some(), "compute queues"),
        (core.shader_int64 != 0, "shaderInt64"),
        (v12.timeline_semaphore != 0, "timelineSemaphore"),
        (v12.buffer_device_address != 0, "bufferDeviceAddress"),
    ];
    let missing: Vec<_> = needs.iter().filter(|n| !n.0).map(|n| n.1).collect();
    let features = Features {
        float64: core.shader_float64 != 0,
        storage8: v12.storage_buffer8_bit_access != 0,
        storage16: v11.storage_buffer16_bit_access != 0,
        atomics64: v12.shader_buffer_int64_atomics != 0,
        ..Features::ALL
    };
    let missing = (!missing.is_empty()).then(|| format!("it has no {}", missing.join(", no ")));
    (compute.unwrap_or(0) as u32, missing, features)
}

/// What can be asked of 32 and 64 bits. Where a device cannot treat widths apart, a control is asked for
/// both or neither.
fn float_controls(of: &vk::PhysicalDeviceFloatControlsProperties<'_>) -> (Controls, Controls) {
    type Independence = vk::ShaderFloatControlsIndependence;
    let tied = |one: u32, other: u32, how: Independence| {
        let free = how != Independence::NONE;
        (
            one != 0 && (free || other != 0),
            other != 0 && (free || one != 0),
        )
    };
    let denormals = tied(
        of.shader_denorm_preserve_float32,
        of.shader_denorm_preserve_float64,
        of.denorm_behavior_independence,
    );
    let nearest = tied(
        of.shader_rounding_mode_rte_float32,
        of.shader_rounding_mode_rte_float64,
        of.rounding_mode_independence,
    );
    let specials32 = of.shader_signed_zero_inf_nan_preserve_float32 != 0;
    let specials64 = of.shader_signed_zero_inf_nan_preserve_float64 != 0;
    (
        Controls {
            denormals: denormals.0,
            specials: specials32,
            nearest: nearest.0,
        },
        Controls {
            denormals: denormals.1,
            specials: specials64,
            nearest: nearest.1,
        },
    )
}

fn memory(instance: &Instance, physical: vk::PhysicalDevice) -> u64 {
    // SAFETY: the device is of this instance.
    let all = unsafe { instance.raw.get_physical_device_memory_properties(physical) };
    let own = |heap: &&vk::MemoryHeap| heap.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL);
    all.memory_heaps_as_slice()
        .iter()
        .filter(own)
        .map(|heap| heap.size)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_known_to_misdivide_is_not_asked_to() {
        assert!(misdivides_at_times(vk::DriverId::NVIDIA_PROPRIETARY));
        assert!(!misdivides_at_times(vk::DriverId::MESA_LLVMPIPE));
    }
}
