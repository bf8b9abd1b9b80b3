//! Sections on the Vulkan device host, driven without a link.

use hotsled_device::backend::{Device, Status};
use hotsled_device::cache::Cache;
use hotsled_device::vulkan::{self, Options, VulkanError};
use hotsled_ir::Valid;
use hotsled_link::{DevicePtr, Launch, LaunchArg, ModuleId};

use crate::data::Data;
use crate::problem::{Arg, Problem};
use crate::side::Side;

/// The device host's half of the comparison.
pub struct Ours {
    device: Device,
    sections: Vec<hotsled_cli::inspect::Section>,
}

impl Ours {
    /// Opens the device of this number, as the device host does by default.
    ///
    /// # Errors
    /// As of [`vulkan::device`].
    ///
    /// # Panics
    /// When this program cannot be read.
    pub fn new(number: usize) -> Result<Self, VulkanError> {
        let options = Options {
            number,
            memory: None,
            deadline: std::time::Duration::from_secs(60),
            validate: false,
            plain: false,
            bounded: false,
            cache: Cache::OFF,
        };
        std::hint::black_box(kernels::ALL); // never called, so that the sections are linked in
        let own = std::env::current_exe().expect("this program has a path");
        let report = hotsled_cli::inspect::file(&own).expect("this program is an ELF file");
        Ok(Self {
            device: vulkan::device("bench", &options)?,
            sections: report.sections,
        })
    }

    /// Lowers the problem's section and takes memory for it.
    pub(crate) fn bind(&mut self, problem: &Problem) -> Bound<'_> {
        let module = self.module(problem.section);
        let lowered = self.device.lowering.lower(&module);
        let module = lowered.unwrap_or_else(|why| panic!("{}: {why}", problem.kernel));
        let mut bound = Bound {
            device: &mut self.device,
            launch: Launch {
                module: ModuleId(module),
                base: problem.indices.start,
                end: problem.indices.end,
                args: Vec::new(),
            },
            slices: Vec::new(),
        };
        problem.args.iter().for_each(|arg| bound.give(arg));
        bound
    }

    fn module(&self, path: &str) -> Valid {
        let found = self.sections.iter().find(|s| s.path == path);
        let section = found.unwrap_or_else(|| panic!("{path} is in this program"));
        hotsled_ir::read(&section.module).expect("the inspector has validated it")
    }
}

/// A section and its memory.
pub(crate) struct Bound<'a> {
    device: &'a mut Device,
    launch: Launch,
    slices: Vec<DevicePtr>,
}

impl Bound<'_> {
    fn give(&mut self, arg: &Arg) {
        let arg = match arg {
            Arg::Scalar(bits) => LaunchArg::Scalar(*bits),
            Arg::Input(data) | Arg::Result(data) => self.slice(data),
        };
        self.launch.args.push(arg);
    }

    fn slice(&mut self, data: &Data) -> LaunchArg {
        let bytes = data.bytes().len() as u64;
        let ptr = self.device.backend.alloc(bytes).expect("device memory");
        self.slices.push(ptr);
        let len = data.len() as u64;
        LaunchArg::Slice {
            ptr,
            len,
            first: 0,
            count: len,
        }
    }

    fn upload(&mut self, ptr: DevicePtr, bytes: &[u8]) {
        let (from, len) = (bytes.as_ptr(), bytes.len() as u64);
        // SAFETY: the slice is readable.
        let status = unsafe { self.device.backend.copy_in(ptr, from, len) };
        assert_eq!(status, Status::Done);
    }

    fn download(&mut self, ptr: DevicePtr, bytes: &mut [u8]) {
        let (to, len) = (bytes.as_mut_ptr(), bytes.len() as u64);
        // SAFETY: the slice is writable.
        let status = unsafe { self.device.backend.copy_out(ptr, to, len) };
        assert_eq!(status, Status::Done);
    }
}

impl Side for Bound<'_> {
    fn reset(&mut self, problem: &Problem) {
        for (n, (data, _)) in problem.slices().enumerate() {
            self.upload(self.slices[n], data.bytes());
        }
    }

    fn launch(&mut self) {
        assert_eq!(self.device.backend.launch(&self.launch), Status::Done);
    }

    fn results(&mut self, problem: &Problem) -> Vec<Data> {
        let written = problem.slices().enumerate().filter(|(_, slice)| slice.1);
        let result = |(n, (data, _)): (usize, (&Data, bool))| {
            let mut data = data.clone();
            self.download(self.slices[n], data.bytes_mut());
            data
        };
        written.map(result).collect()
    }
}

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        for ptr in &self.slices {
            self.device.backend.free(*ptr);
        }
    }
}
