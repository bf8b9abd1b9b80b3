//! Times every kernel on both sides and prints rows.

use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use hotsled_bench_wgpu::{ALL, Effort, Ours, Peer, Row, measure, table};

/// Sections on the Vulkan device host beside the same kernels in WGSL through wgpu.
#[derive(Parser)]
struct Options {
    /// Only these kernels
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(ALL.iter().map(|e| e.name)))]
    kernels: Vec<String>,
    /// Timed launches of each side; the median counts
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The device's number in `hotsled-device vulkan --list`
    #[arg(long, default_value_t = 0)]
    device: usize,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    /// Small sizes and three runs
    #[arg(long)]
    quick: bool,
}

impl Options {
    fn effort(&self) -> Effort {
        Effort {
            runs: if self.quick { 3 } else { self.runs as usize },
            small: self.quick,
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.kernels.is_empty() || self.kernels.iter().any(|k| k == name)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(rows) => show(&rows, options.json),
        Err(why) => {
            eprintln!("hotsled-bench-wgpu: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> Result<Vec<Row>, String> {
    let mut ours = Ours::new(options.device).map_err(|e| e.to_string())?;
    let devices = hotsled_device::vulkan::list().map_err(|e| e.to_string())?;
    let peer = Peer::new(&devices[options.device].name)?;
    eprintln!("{}", devices[options.device]);
    let wanted: Vec<_> = ALL.iter().filter(|e| options.wants(e.name)).collect();
    let mut rows = Vec::new();
    for (n, entry) in wanted.iter().enumerate() {
        eprintln!("kernels {}/{}: {}", n + 1, wanted.len(), entry.name);
        rows.extend(measure(entry, &mut ours, &peer, options.effort())?);
    }
    Ok(rows)
}

fn show(rows: &[Row], json: bool) {
    let line = |row: &Row| serde_json::to_string(row).expect("rows are plain data");
    if json {
        let lines: Vec<_> = rows.iter().map(line).collect();
        println!("[{}]", lines.join(",\n "));
    } else {
        print!("{}", table(rows));
    }
}
