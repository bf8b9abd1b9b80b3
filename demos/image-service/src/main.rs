//! The image service by itself: serves until SIGTERM or SIGINT, drains, and exits 0.
#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use image_service::{Config, Control, Devices, Service};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Filters photographs over HTTP; its loops move to an accelerator and back while requests run.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Path of the control socket for the `hotsled` command [default: one named after the process].
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// The `hotsled-device` program [default: beside this program, then on PATH].
    #[arg(long, value_name = "PATH")]
    device_program: Option<PathBuf>,
    /// Path of a socket at which device hosts connect by themselves.
    #[arg(long, value_name = "PATH")]
    device_socket: Option<PathBuf>,
    /// Lets SIGUSR1 plug a device and SIGUSR2 unplug all.
    #[arg(long)]
    signals: bool,
    /// Checks one device chunk in N on the CPU before its result counts; 0: none.
    #[arg(long, value_name = "N", default_value_t = 0)]
    verify: u64,
    /// Sends only calls to devices that repay it [default: all that a device can run].
    #[arg(long)]
    measured: bool,
    /// Most filters that run at once [default: twice the CPUs].
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
}

const SIGUSR1: i32 = nix::sys::signal::Signal::SIGUSR1 as i32;
const SIGUSR2: i32 = nix::sys::signal::Signal::SIGUSR2 as i32;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image-service: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let end = End::claim()?;
    let service = Service::start(config(options))?;
    println!("listening on http://{}", service.address());
    end.wait();
    println!("draining");
    let (counts, drained) = service.stop();
    println!(
        "served {}, refused {}, failed {}",
        counts.served, counts.refused, counts.failed
    );
    if drained {
        Ok(())
    } else {
        Err("some requests did not end in time".into())
    }
}

fn config(options: Options) -> Config {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Config {
        listen: options.listen,
        concurrency: options.concurrency.unwrap_or(2 * cpus).max(1),
        devices: Devices {
            control: options.control.map_or(Control::Default, Control::At),
            socket: options.device_socket,
            program: options.device_program,
            arguments: Vec::new(),
            signals: options.signals.then_some((SIGUSR1, SIGUSR2)),
            verify: options.verify,
            measured: options.measured,
        },
    }
}

/// SIGTERM and SIGINT, caught from the moment this exists.
struct End {
    runtime: Runtime,
    term: Signal,
    interrupt: Signal,
}

impl End {
    fn claim() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (term, interrupt) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
            )
        };
        Ok(Self {
            runtime,
            term,
            interrupt,
        })
    }

    fn wait(mut self) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.term.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        });
    }
}
