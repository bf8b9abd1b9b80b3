//! The whole story in a minute: an HTTP service gains, loses and is robbed of an accelerator under load.
#![forbid(unsafe_code)]

mod answers;
mod chart;
mod load;
mod options;
mod pictures;
mod report;
mod sampler;
mod story;
mod table;
mod timeline;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::options::Options;

/// The first argument with which this program is the device host; the engine starts it so.
const DEVICE_HOST: &str = "device-host";

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == DEVICE_HOST) {
        arguments.remove(1);
        return hotsled_device::main_from(arguments.into_iter());
    }
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")),
        )
        .with_writer(std::io::stderr)
        .init();
    match story::tell(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tour: {error}");
            ExitCode::FAILURE
        }
    }
}
