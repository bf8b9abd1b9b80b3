//! The command line.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hotsled_sys::seqpacket;

#[cfg(feature = "cuda")]
use crate::cuda;
use crate::faults::Fault;
use crate::sim::{self, Model};
#[cfg(feature = "vulkan")]
use crate::vulkan;
#[cfg(any(feature = "cuda", feature = "vulkan"))]
use crate::{backend::Device, cache::Cache, exact::Plain};

/// Owns one device and serves it to a hotsled service.
///
/// A service starts it by itself when a device is plugged. To plug one by hand, name the service's
/// device socket: `hotsled-device sim --connect PATH`.
#[derive(Parser)]
#[command(name = "hotsled-device", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a simulated accelerator; every figure it gives is simulated.
    Sim(Sim),
    /// Serves a Vulkan device, or lists those there are.
    #[cfg(feature = "vulkan")]
    Vulkan(Vulkan),
    /// Serves an NVIDIA device through the CUDA driver, or lists those there are.
    #[cfg(feature = "cuda")]
    Cuda(Cuda),
    /// Shows what a virtual-ISA module becomes.
    Lower(Lower),
}

/// Where to serve.
#[derive(Args)]
struct Link {
    /// Inherited descriptor of the link (used by the service).
    #[arg(long, conflicts_with = "connect")]
    link_fd: Option<i32>,
    /// Device socket of a running service.
    #[arg(long)]
    connect: Option<PathBuf>,
    /// Misbehave at a named point, from the N-th time on: POINT[:N].
    #[arg(long)]
    fault: Option<Fault>,
}

#[derive(Args)]
struct Sim {
    #[command(flatten)]
    link: Link,
    /// Name for people.
    #[arg(long, default_value = "sim0")]
    name: String,
    /// Memory in MiB.
    #[arg(long, default_value_t = 1024)]
    memory_mib: u64,
    /// Link bandwidth in GB/s; 0 does not pace copies.
    #[arg(long, default_value_t = 12.0)]
    bandwidth_gbps: f64,
    /// Latency of a copy or launch in microseconds.
    #[arg(long, default_value_t = 5)]
    latency_us: u64,
}

/// How a device behind a driver is shown, chosen and used.
#[cfg(any(feature = "cuda", feature = "vulkan"))]
#[derive(Args)]
struct Driven {
    #[command(flatten)]
    link: Link,
    /// List the devices, and why one cannot be driven.
    #[arg(long, group = "show")]
    list: bool,
    /// Try every float operation on the device, and show where it differs from the definition.
    #[arg(long, group = "show")]
    survey: bool,
    /// List or survey as JSON.
    #[arg(long, requires = "show")]
    json: bool,
    /// Number of the device in the list.
    #[arg(long, default_value_t = 0)]
    device: usize,
    /// Use at most so many MiB; default: all of the device's own memory.
    #[arg(long)]
    memory_mib: Option<u64>,
    /// Longest run of one piece of work in milliseconds; the device is quarantined then.
    #[arg(long, default_value_t = 10_000)]
    deadline_ms: u64,
    /// Accept float operations whose results differ from the definition on this device.
    #[arg(long)]
    bounded: bool,
    /// Keep no compiled code on disk; by default it is kept in $XDG_CACHE_HOME/hotsled or ~/.cache/hotsled.
    #[arg(long)]
    no_cache: bool,
}

#[cfg(any(feature = "cuda", feature = "vulkan"))]
impl Driven {
    fn memory(&self) -> Option<u64> {
        self.memory_mib.map(|mib| mib << 20)
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    fn cache(&self) -> Cache {
        if self.no_cache {
            Cache::OFF
        } else {
            Cache::of_user()
        }
    }
}

#[cfg(feature = "vulkan")]
#[derive(Args)]
struct Vulkan {
    #[command(flatten)]
    driven: Driven,
    /// Name for people.
    #[arg(long, default_value = "vulkan0")]
    name: String,
    /// Have the Khronos validation layer watch; its first message ends the program.
    #[arg(long)]
    validate: bool,
    /// Do without 8-bit and 16-bit storage and without the operations that some devices get wrong.
    #[arg(long)]
    plain: bool,
}

#[cfg(feature = "cuda")]
#[derive(Args)]
struct Cuda {
    #[command(flatten)]
    driven: Driven,
    /// Name for people.
    #[arg(long, default_value = "cuda0")]
    name: String,
}

#[derive(Args)]
struct Lower {
    /// A file that holds one module's bytes; default: standard input.
    file: Option<PathBuf>,
    /// Which form to print.
    #[arg(long, value_enum, default_value_t = Emit::Clif)]
    emit: Emit,
}

#[derive(Clone, Copy, ValueEnum)]
enum Emit {
    /// The virtual ISA as text.
    Ir,
    /// Cranelift's form, from which the simulated accelerator's code is made.
    Clif,
    /// The simulated accelerator's code as bytes and text.
    Asm,
    /// SPIR-V, as a Vulkan device with all features gets it.
    #[cfg(feature = "vulkan")]
    Spirv,
    /// PTX for sm_80 and newer.
    Ptx,
}

/// Runs the program with these arguments; another program may carry it as a subcommand.
pub fn main_from(args: impl Iterator<Item = OsString>) -> ExitCode {
    let result = match Cli::parse_from(args).command {
        Command::Sim(options) => simulate(&options),
        #[cfg(feature = "vulkan")]
        Command::Vulkan(options) => run_vulkan(&options),
        #[cfg(feature = "cuda")]
        Command::Cuda(options) => run_cuda(&options),
        Command::Lower(options) => show(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("hotsled-device: {message}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(options: &Sim) -> Result<(), String> {
    let socket = socket(&options.link)?;
    let model = Model {
        memory: options.memory_mib << 20,
        bandwidth: (options.bandwidth_gbps.max(0.0) * 1e9) as u64,
        latency: Duration::from_micros(options.latency_us),
    };
    let device = sim::device(&options.name, model).map_err(|e| e.to_string())?;
    crate::serve::serve(socket, device, options.link.fault.clone()).map_err(|e| e.to_string())
}

#[cfg(feature = "vulkan")]
fn run_vulkan(options: &Vulkan) -> Result<(), String> {
    let driven = &options.driven;
    let chosen = || vulkan::Options {
        number: driven.device,
        memory: driven.memory(),
        deadline: driven.deadline(),
        validate: options.validate,
        plain: options.plain,
        bounded: driven.bounded,
        cache: driven.cache(),
    };
    run_driven(
        driven,
        vulkan::list,
        || vulkan::survey(&chosen()),
        || vulkan::device(&options.name, &chosen()),
    )
}

#[cfg(feature = "cuda")]
fn run_cuda(options: &Cuda) -> Result<(), String> {
    let driven = &options.driven;
    let chosen = || cuda::Options {
        number: driven.device,
        memory: driven.memory(),
        deadline: driven.deadline(),
        bounded: driven.bounded,
        cache: driven.cache(),
    };
    run_driven(
        driven,
        cuda::list,
        || cuda::survey(&chosen()),
        || cuda::device(&options.name, &chosen()),
    )
}

/// Lists, surveys or serves.
#[cfg(any(feature = "cuda", feature = "vulkan"))]
fn run_driven<D: std::fmt::Display + serde::Serialize, E: std::fmt::Display>(
    options: &Driven,
    list: impl FnOnce() -> Result<Vec<D>, E>,
    survey: impl FnOnce() -> Result<Vec<(Plain, Option<String>)>, E>,
    device: impl FnOnce() -> Result<Device, E>,
) -> Result<(), String> {
    let told = |error: E| error.to_string();
    if options.list {
        return show_list(&list().map_err(told)?, options.json);
    }
    if options.survey {
        return show_survey(&survey().map_err(told)?, options.json);
    }
    let socket = socket(&options.link)?;
    serve_and_exit(socket, device().map_err(told)?, &options.link)
}

/// Serves a device with a driver, whose exit handlers may wait for work that never ends.
#[cfg(any(feature = "cuda", feature = "vulkan"))]
fn serve_and_exit(socket: OwnedFd, device: Device, link: &Link) -> ! {
    let served = crate::serve::serve(socket, device, link.fault.clone());
    if let Err(error) = &served {
        eprintln!("hotsled-device: {error}");
    }
    hotsled_sys::exit_now(i32::from(served.is_err()))
}

#[cfg(any(feature = "cuda", feature = "vulkan"))]
fn show_survey(found: &[(Plain, Option<String>)], json: bool) -> Result<(), String> {
    if json {
        let row = |(operation, differs): &(_, _)| {
            let exact = Option::is_none(differs);
            serde_json::json!({"operation": format!("{operation}"), "exact": exact, "differs": differs})
        };
        let rows: Vec<_> = found.iter().map(row).collect();
        println!(
            "{}",
            serde_json::to_string_pretty(&rows).map_err(|e| e.to_string())?
        );
        return Ok(());
    }
    for (operation, differs) in found {
        println!(
            "{:<16} {}",
            operation.to_string(),
            differs.as_deref().unwrap_or("exact")
        );
    }
    Ok(())
}

#[cfg(any(feature = "cuda", feature = "vulkan"))]
fn show_list<D: std::fmt::Display + serde::Serialize>(
    devices: &[D],
    json: bool,
) -> Result<(), String> {
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(devices).map_err(|e| e.to_string())?
        );
        return Ok(());
    }
    for (number, device) in devices.iter().enumerate() {
        println!("{number}: {device}");
    }
    Ok(())
}

fn socket(options: &Link) -> Result<OwnedFd, String> {
    match (options.link_fd, &options.connect) {
        (Some(raw), _) => inherited(raw),
        (None, Some(path)) => seqpacket::connect(path)
            .map_err(|e| format!("{}: {e}; is the service running?", path.display())),
        (None, None) => {
            Err("say where to serve: --connect PATH of a service's device socket".into())
        }
    }
}

fn inherited(raw: i32) -> Result<OwnedFd, String> {
    // SAFETY: the service passed this number for our own use; a wrong one fails the check below.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    match link {
        Ok(target) if target.to_string_lossy().starts_with("socket:") => Ok(fd),
        _ => {
            std::mem::forget(fd);
            Err(format!(
                "descriptor {raw} is no link; --link-fd is for the service"
            ))
        }
    }
}

fn show(options: &Lower) -> Result<(), String> {
    let bytes = match &options.file {
        Some(path) => std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?,
        None => standard_input().map_err(|e| format!("standard input: {e}"))?,
    };
    let module = hotsled_ir::read(&bytes).map_err(|e| e.to_string())?;
    let text = match options.emit {
        Emit::Ir => hotsled_ir::print(&module),
        Emit::Clif => sim::clif(&module)?,
        Emit::Asm => sim::assembly(&module)?,
        #[cfg(feature = "vulkan")]
        Emit::Spirv => {
            crate::spirv::text(&module, &crate::spirv::Features::ALL).map_err(|e| e.to_string())?
        }
        Emit::Ptx => {
            crate::ptx::lower(&module, crate::ptx::BASE_ARCHITECTURE)
                .map_err(|e| e.to_string())?
                .text
        }
    };
    print!("{text}");
    Ok(())
}

fn standard_input() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
