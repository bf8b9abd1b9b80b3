//! A lowered module as the device keeps it.

use std::sync::Arc;

use ash::vk;
use hotsled_ir::{Access, ParamKind, Valid};

use super::error::VulkanError;
use super::gpu::Gpu;
use crate::args::Layout;
use crate::cache::{Cache, Key};
use crate::driven;
use crate::spirv;

/// A pipeline, and what a launch of it needs.
pub(super) struct Kernel {
    gpu: Arc<Gpu>,
    layout: vk::PipelineLayout,
    pipeline: vk::Pipeline,
    params: Vec<ParamKind>,
    access: Vec<Access>,
    /// Words of the argument block.
    pub(super) words: usize,
    /// The argument block goes through memory.
    pub(super) buffered: bool,
}

impl Kernel {
    /// Compiles, or takes compiled code from the cache.
    pub(super) fn new(
        gpu: &Arc<Gpu>,
        module: &Valid,
        words: &[u32],
        cache: &Cache,
    ) -> Result<Self, VulkanError> {
        let layout = Layout::of(module);
        let mut this = Self {
            gpu: gpu.clone(),
            layout: vk::PipelineLayout::null(),
            pipeline: vk::Pipeline::null(),
            params: module.params.iter().map(|p| p.kind).collect(),
            access: hotsled_ir::access(module),
            words: layout.words(),
            buffered: spirv::buffered(&layout),
        };
        let bytes = if this.buffered {
            8
        } else {
            8 * layout.words() as u32
        };
        let range = [vk::PushConstantRange::default()
            .stage_flags(vk::ShaderStageFlags::COMPUTE)
            .size(bytes)];
        let info = vk::PipelineLayoutCreateInfo::default().push_constant_ranges(&range);
        // SAFETY: `info` is alive.
        let made = unsafe { gpu.device.create_pipeline_layout(&info, None) };
        this.layout = made.map_err(VulkanError::call("making a pipeline layout"))?;
        let key = key(gpu, module, words);
        let known = cache.get(key);
        let store = Store::new(gpu, known.as_deref().unwrap_or_default())?;
        this.pipeline = this.compile(words, &store)?;
        let compiled = store.content()?;
        if known.as_ref() != Some(&compiled) {
            cache.put(key, &compiled);
        }
        Ok(this)
    }

    fn compile(&self, words: &[u32], store: &Store) -> Result<vk::Pipeline, VulkanError> {
        let device = &self.gpu.device;
        let info = vk::ShaderModuleCreateInfo::default().code(words);
        // SAFETY: the words are valid SPIR-V within the device's features: our own lowering made them.
        let shader = unsafe { device.create_shader_module(&info, None) };
        let shader = shader.map_err(VulkanError::call("making a shader module"))?;
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(shader)
            .name(c"main");
        let info = [vk::ComputePipelineCreateInfo::default()
            .stage(stage)
            .layout(self.layout)];
        // SAFETY: shader and layout are of this device, and fit each other.
        let made = unsafe { device.create_compute_pipelines(store.raw, &info, None) };
        // SAFETY: a pipeline does not need its shader module.
        unsafe { device.destroy_shader_module(shader, None) };
        match made {
            Ok(pipelines) => Ok(pipelines[0]),
            Err((_, result)) => Err(VulkanError::Call {
                step: "compiling",
                result,
            }),
        }
    }

    /// Records one dispatch of so many groups.
    pub(super) fn record(&self, commands: vk::CommandBuffer, pushed: &[u8], groups: u32) {
        let (device, compute) = (&self.gpu.device, vk::PipelineBindPoint::COMPUTE);
        // SAFETY: the command buffer is being recorded; the pipeline is alive until the work is done.
        unsafe { device.cmd_bind_pipeline(commands, compute, self.pipeline) };
        let stage = vk::ShaderStageFlags::COMPUTE;
        // SAFETY: as above; `pushed` has the layout's length.
        unsafe { device.cmd_push_constants(commands, self.layout, stage, 0, pushed) };
        // SAFETY: as above; `groups` is within the device's limit.
        unsafe { device.cmd_dispatch(commands, groups, 1, 1) };
    }
}

impl driven::Kernel for Kernel {
    fn params(&self) -> &[ParamKind] {
        &self.params
    }

    fn access(&self) -> &[Access] {
        &self.access
    }
}

/// What the compiled code depends on. The words stand for all that lowering may have decided.
fn key(gpu: &Gpu, module: &Valid, words: &[u32]) -> Key {
    let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let version = spirv::VERSION.to_le_bytes();
    Key::of(&[
        &hotsled_ir::encode(module),
        b"vulkan",
        &gpu.described.identity,
        &version,
        &words,
    ])
}

/// The driver's own form of compiled code.
struct Store {
    gpu: Arc<Gpu>,
    raw: vk::PipelineCache,
}

impl Store {
    fn new(gpu: &Arc<Gpu>, content: &[u8]) -> Result<Self, VulkanError> {
        let info = vk::PipelineCacheCreateInfo::default().initial_data(content);
        // SAFETY: `info` is alive; the content is what this driver gave, by its checksum and key, or empty.
        let raw = unsafe { gpu.device.create_pipeline_cache(&info, None) };
        let raw = raw.map_err(VulkanError::call("making a pipeline cache"))?;
        Ok(Self {
            gpu: gpu.clone(),
            raw,
        })
    }

    fn content(&self) -> Result<Vec<u8>, VulkanError> {
        // SAFETY: the cache is of this device.
        let content = unsafe { self.gpu.device.get_pipeline_cache_data(self.raw) };
        content.map_err(VulkanError::call("reading compiled code"))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: pipelines do not need the cache they were made with.
        unsafe { self.gpu.device.destroy_pipeline_cache(self.raw, None) };
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if self.gpu.is_quarantined() {
            return;
        }
        // SAFETY: no work uses it; null is allowed.
        unsafe { self.gpu.device.destroy_pipeline(self.pipeline, None) };
        // SAFETY: as above.
        unsafe { self.gpu.device.destroy_pipeline_layout(self.layout, None) };
    }
}
