//! The command line.

use clap::Parser;
use kernels::Target;

/// Well-known kernels as sections, checked and timed beside plain rayon.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// A kernel's name, or all.
    #[arg(default_value = "all")]
    pub name: String,
    /// Where to run; one after the other.
    #[arg(long, value_delimiter = ',', default_value = "cpu,sim")]
    pub on: Vec<Target>,
    /// Size instead of each kernel's own; --list says what it counts.
    #[arg(long, value_parser = size)]
    pub size: Option<usize>,
    /// Print JSON rows instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Name the kernels, their sizes and their sources.
    #[arg(long)]
    pub list: bool,
    /// Call the kernels while the device of --on comes and goes so many times, every other time killed.
    #[arg(long, value_name = "ROUNDS", num_args = 0..=1, default_missing_value = "6")]
    pub storm: Option<usize>,
    /// Threads of the sections' pool, and of rayon's; default: one a core.
    #[arg(long)]
    pub workers: Option<usize>,
    /// Run one device chunk in N on the CPU, too, and quarantine the device if they differ.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub verify: u64,
    /// Send only calls to the device that repay it, as services do; without it every call goes, to be checked and
    /// timed there.
    #[arg(long)]
    pub measured: bool,
    /// Arguments for the device host, as in `-- --device 1`.
    #[arg(last = true)]
    pub device: Vec<String>,
}

/// The smallest for which every kernel's problem makes sense.
const LEAST: usize = 16;

fn size(text: &str) -> Result<usize, String> {
    let size: usize = text.parse().map_err(|_| "not a number".to_owned())?;
    if size < LEAST {
        return Err(format!("at least {LEAST}"));
    }
    Ok(size)
}
