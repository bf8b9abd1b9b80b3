//! WGSL through `wgpu`, as its users write it: checked shaders, and what does not change bound once.

use wgpu::util::{BufferInitDescriptor, DeviceExt};
use wgpu::{
    Adapter, Backends, BindGroup, BindGroupDescriptor, BindGroupEntry, Buffer, BufferDescriptor,
    BufferUsages, CommandEncoderDescriptor, ComputePassDescriptor, ComputePipeline,
    ComputePipelineDescriptor, DeviceDescriptor, Features, Instance, InstanceDescriptor, MapMode,
    PollType, ShaderModuleDescriptor, ShaderSource,
};

use crate::data::Data;
use crate::problem::Problem;
use crate::side::Side;

/// `wgpu`'s half of the comparison.
pub struct Peer {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

impl Peer {
    /// Opens the Vulkan device of this name.
    ///
    /// # Errors
    /// A sentence: it is not there, or cannot be opened with 64-bit floats.
    pub fn new(name: &str) -> Result<Self, String> {
        let mut options = InstanceDescriptor::new_without_display_handle();
        options.backends = Backends::VULKAN;
        let instance = Instance::new(options);
        let all = pollster::block_on(instance.enumerate_adapters(Backends::VULKAN));
        let found = all.into_iter().find(|a| a.get_info().name == name);
        let adapter = found.ok_or_else(|| format!("wgpu finds no Vulkan device {name}"))?;
        Self::open(&adapter).map_err(|why| format!("wgpu cannot open {name}: {why}"))
    }

    fn open(adapter: &Adapter) -> Result<Self, wgpu::RequestDeviceError> {
        let options = DeviceDescriptor {
            required_features: Features::SHADER_F64,
            required_limits: adapter.limits(),
            ..DeviceDescriptor::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&options))?;
        Ok(Self { device, queue })
    }

    /// Compiles the problem's WGSL and takes memory for it.
    pub(crate) fn bind(&self, problem: &Problem) -> Bound<'_> {
        let pipeline = self.pipeline(problem);
        let slices = problem.slices().map(|(data, _)| self.slice(data));
        let slices: Vec<_> = slices.collect();
        let uniform = self.device.create_buffer_init(&BufferInitDescriptor {
            label: None,
            contents: &problem.uniform,
            usage: BufferUsages::UNIFORM,
        });
        let group = self.group(&pipeline, &uniform, &slices);
        Bound {
            peer: self,
            pipeline,
            slices,
            group,
            groups: problem.groups,
        }
    }

    fn pipeline(&self, problem: &Problem) -> ComputePipeline {
        let module = self.device.create_shader_module(ShaderModuleDescriptor {
            label: Some(problem.kernel),
            source: ShaderSource::Wgsl(problem.wgsl.into()),
        });
        let options = ComputePipelineDescriptor {
            label: Some(problem.kernel),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        };
        self.device.create_compute_pipeline(&options)
    }

    fn slice(&self, data: &Data) -> Buffer {
        self.buffer(
            data.bytes().len() as u64,
            BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
        )
    }

    fn buffer(&self, size: u64, usage: BufferUsages) -> Buffer {
        self.device.create_buffer(&BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    fn group(&self, pipeline: &ComputePipeline, uniform: &Buffer, slices: &[Buffer]) -> BindGroup {
        let buffers = std::iter::once(uniform).chain(slices).zip(0..);
        let entry = |(buffer, binding): (_, u32)| BindGroupEntry {
            binding,
            resource: Buffer::as_entire_binding(buffer),
        };
        let entries: Vec<_> = buffers.map(entry).collect();
        self.device.create_bind_group(&BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    fn wait(&self) {
        let waited = self.device.poll(PollType::wait_indefinitely());
        waited.expect("the device is there");
    }

    fn download(&self, from: &Buffer, bytes: &mut [u8]) {
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = self.buffer(from.size(), usage);
        let mut commands = self.commands();
        commands.copy_buffer_to_buffer(from, 0, &staging, 0, from.size());
        self.queue.submit([commands.finish()]);
        staging.map_async(MapMode::Read, .., |done| done.expect("mapped"));
        self.wait();
        let view = staging.get_mapped_range(..).expect("mapped, by the wait");
        bytes.copy_from_slice(&view);
    }

    fn commands(&self) -> wgpu::CommandEncoder {
        let plain = CommandEncoderDescriptor::default();
        self.device.create_command_encoder(&plain)
    }
}

/// A pipeline and its memory.
pub(crate) struct Bound<'a> {
    peer: &'a Peer,
    pipeline: ComputePipeline,
    slices: Vec<Buffer>,
    group: BindGroup,
    groups: [u32; 3],
}

impl Side for Bound<'_> {
    fn reset(&mut self, problem: &Problem) {
        for (buffer, (data, _)) in self.slices.iter().zip(problem.slices()) {
            self.peer.queue.write_buffer(buffer, 0, data.bytes());
        }
        self.peer.queue.submit([]);
        self.peer.wait();
    }

    fn launch(&mut self) {
        let mut commands = self.peer.commands();
        let mut pass = commands.begin_compute_pass(&ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        let [x, y, z] = self.groups;
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        self.peer.queue.submit([commands.finish()]);
        self.peer.wait();
    }

    fn results(&mut self, problem: &Problem) -> Vec<Data> {
        let slices = self.slices.iter().zip(problem.slices());
        let written = slices.filter(|(_, (_, result))| *result);
        let result = |(buffer, (data, _)): (&Buffer, (&Data, bool))| {
            let mut data = data.clone();
            self.peer.download(buffer, data.bytes_mut());
            data
        };
        written.map(result).collect()
    }
}
