//! Runs one benchmark and prints its rows.

use std::time::Duration;

use clap::{Parser, Subcommand};
use hotsled_bench::row::{Row, State};
use hotsled_bench::scheme::Name;
use hotsled_bench::{call, cell, compile, cpu, kernels, lower, stall, switch};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    bench: Bench,
    /// Print a JSON array
    #[arg(long, global = true)]
    json: bool,
    /// Fewer sites and threads, shorter
    #[arg(long, global = true)]
    quick: bool,
    /// Only these schemes
    #[arg(long, global = true, value_delimiter = ',', default_values_t = Name::all().to_vec())]
    schemes: Vec<Name>,
}

#[derive(Subcommand)]
enum Bench {
    /// A call through each scheme beside a direct call
    Call,
    /// One batch over many sites under load, by each scheme
    Switch {
        /// Sites of a batch
        #[arg(long, value_delimiter = ',')]
        sites: Option<Vec<usize>>,
        /// Threads that call sites meanwhile
        #[arg(long, value_delimiter = ',')]
        busy: Option<Vec<usize>>,
    },
    /// What a caller waits while sites are switched every 2 ms, by each scheme
    Stall {
        /// Sites of a batch
        #[arg(long, default_value_t = 10_000)]
        sites: usize,
    },
    /// Section loops on the CPU beside rayon
    Cpu,
    /// How long each lowering of each section takes
    Lower,
    /// Loops by the simulated device's code beside rustc's, on one thread
    Kernels,
    /// How long a user's crate with a section takes to build
    Compile,
    /// Only calls; run under callgrind by `call`
    #[command(hide = true)]
    Spin {
        state: State,
        scheme: String,
        count: u32,
    },
    /// One measurement; run by `switch` and `stall`
    #[command(hide = true)]
    Cell { ask: String },
}

fn main() {
    let options = Options::parse();
    let quick = options.quick;
    let rows = match options.bench {
        Bench::Call => call::run(effort(quick)),
        Bench::Switch { sites, busy } => switch::run(&choice(sites, busy, options.schemes, quick)),
        Bench::Stall { sites } => {
            let time = Duration::from_millis(if quick { 300 } else { 5000 });
            stall::run(&options.schemes, sites, time)
        }
        Bench::Cpu => cpu::run(),
        Bench::Lower => lower::run(),
        Bench::Kernels => kernels::run(),
        Bench::Compile => compile::run(),
        Bench::Spin {
            state,
            scheme,
            count,
        } => return call::spin(state, &scheme, count),
        Bench::Cell { ask } => return println!("{}", cell::answer(&ask)),
    };
    show(&rows, options.json);
}

fn effort(quick: bool) -> call::Effort {
    call::Effort {
        rounds: if quick { 50 } else { 1500 },
        calls: 1000,
        count: !quick,
    }
}

fn choice(
    sites: Option<Vec<usize>>,
    busy: Option<Vec<usize>>,
    schemes: Vec<Name>,
    quick: bool,
) -> switch::Choice {
    let (most, loads, time) = if quick {
        (3, 2, Duration::from_millis(30))
    } else {
        (5, 4, Duration::from_millis(500))
    };
    let all = [1, 100, 10_000, 100_000, 1_000_000];
    switch::Choice {
        sites: sites.unwrap_or_else(|| all[..most].to_vec()),
        busy: busy.unwrap_or_else(|| [0, 1, 4, 16][..loads].to_vec()),
        schemes,
        time,
    }
}

fn show(rows: &[Row], json: bool) {
    let line = |row: &Row| serde_json::to_string(row).expect("rows are plain data");
    let lines: Vec<_> = rows.iter().map(line).collect();
    if json {
        println!("[{}]", lines.join(",\n "));
    } else {
        lines.iter().for_each(|l| println!("{l}"));
    }
}
