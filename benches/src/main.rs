//! Runs one benchmark and prints its rows.

use clap::{Parser, Subcommand};
use hotsled_bench::{call, cpu, row::Row, switch};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    bench: Bench,
    /// Print a JSON array
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Bench {
    /// A call through an idle sled beside a direct call
    Call,
    /// One batch over many sites under load, beside pointer swaps
    Switch,
    /// Section loops on the CPU beside rayon
    Cpu,
    /// Only calls; run under callgrind by `call`
    #[command(hide = true)]
    Spin {
        /// `sled` or `direct`
        way: String,
        /// How often
        count: u32,
    },
}

fn main() {
    let options = Options::parse();
    let rows = match options.bench {
        Bench::Call => call::run(),
        Bench::Switch => switch::run(),
        Bench::Cpu => cpu::run(),
        Bench::Spin { way, count } => return call::spin(way == "direct", count),
    };
    show(&rows, options.json);
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
