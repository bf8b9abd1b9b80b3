//! The loader and one instance. Devices that come later are not seen by an instance that exists, so each
//! discovery makes its own.

use std::ffi::{CStr, c_void};

use ash::ext::debug_utils;
use ash::vk;

use super::error::VulkanError;

const VALIDATION: &CStr = c"VK_LAYER_KHRONOS_validation";

/// A Vulkan 1.2 instance.
pub(super) struct Instance {
    pub(super) raw: ash::Instance,
    messenger: Option<(debug_utils::Instance, vk::DebugUtilsMessengerEXT)>,
    /// Keeps the library loaded.
    _entry: ash::Entry,
}

impl Instance {
    /// Loads the loader. With `validate`, the first message of the validation layer ends the process.
    pub(super) fn new(validate: bool) -> Result<Self, VulkanError> {
        // SAFETY: the system's Vulkan loader is trusted as much as its driver is.
        let entry = unsafe { ash::Entry::load() };
        let entry = entry.map_err(|e| VulkanError::NoLoader(e.to_string()))?;
        let application = vk::ApplicationInfo::default()
            .application_name(c"hotsled-device")
            .api_version(vk::API_VERSION_1_2);
        let (layers, extensions) = ([VALIDATION.as_ptr()], [debug_utils::NAME.as_ptr()]);
        let mut listen = listener();
        let mut info = vk::InstanceCreateInfo::default().application_info(&application);
        if validate {
            info = info
                .enabled_layer_names(&layers)
                .enabled_extension_names(&extensions);
            info = info.push_next(&mut listen);
        }
        // SAFETY: `info` and all it points to are alive.
        let raw = unsafe { entry.create_instance(&info, None) };
        let raw = raw.map_err(|result| match result {
            vk::Result::ERROR_LAYER_NOT_PRESENT => VulkanError::NoValidation,
            result => VulkanError::Call {
                step: "making an instance",
                result,
            },
        })?;
        let mut this = Self {
            raw,
            messenger: None,
            _entry: entry,
        };
        if validate {
            this.listen()?;
        }
        Ok(this)
    }

    fn listen(&mut self) -> Result<(), VulkanError> {
        let extension = debug_utils::Instance::new(&self._entry, &self.raw);
        // SAFETY: the instance has the extension; the listener needs no data.
        let messenger = unsafe { extension.create_debug_utils_messenger(&listener(), None) };
        let messenger = messenger.map_err(VulkanError::call("listening to validation"))?;
        self.messenger = Some((extension, messenger));
        Ok(())
    }

    pub(super) fn physical_devices(&self) -> Result<Vec<vk::PhysicalDevice>, VulkanError> {
        // SAFETY: the instance is alive.
        let found = unsafe { self.raw.enumerate_physical_devices() };
        found.map_err(VulkanError::call("looking for devices"))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some((extension, messenger)) = &self.messenger {
            // SAFETY: made from this instance, which is alive.
            unsafe { extension.destroy_debug_utils_messenger(*messenger, None) };
        }
        // SAFETY: what was made from the instance is gone: each keeps the instance alive.
        unsafe { self.raw.destroy_instance(None) };
    }
}

fn listener() -> vk::DebugUtilsMessengerCreateInfoEXT<'static> {
    type Severity = vk::DebugUtilsMessageSeverityFlagsEXT;
    vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(Severity::WARNING | Severity::ERROR)
        .message_type(
            vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION
                | vk::DebugUtilsMessageTypeFlagsEXT::PERFORMANCE,
        )
        .pfn_user_callback(Some(validation_spoke))
}

/// Says what the validation layer said, and ends the process: our use of Vulkan is wrong.
unsafe extern "system" fn validation_spoke(
    _severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    _kind: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    _user: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: the layer passes a valid structure.
    let data = unsafe { &*data };
    // SAFETY: its message is null or a C string.
    let message = unsafe { data.message_as_c_str() };
    eprintln!(
        "hotsled-device: validation: {}",
        message.unwrap_or_default().to_string_lossy()
    );
    std::process::abort()
}
