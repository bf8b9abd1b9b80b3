//! The kernel suite as a program; it is its own device host, too.
#![forbid(unsafe_code)]

mod options;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use hotsled::Engine;
use kernels::{ALL, DEVICE_HOST, Entry, Row, Setup, Target};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::options::Options;

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
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kernels: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked; whether everything was right.
fn run(options: &Options) -> Result<bool, String> {
    if options.list {
        print!("{}", kernels::suite_table(ALL));
        return Ok(true);
    }
    let entries = kernels::find(&options.name)?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    if let Some(count) = options.workers {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count);
        pool.build_global().map_err(|e| e.to_string())?;
    }
    let setup = Setup {
        workers: options.workers,
        verify: options.verify,
        measured: options.measured,
    };
    let engine = kernels::engine(program, setup);
    let engine = engine.map_err(|e| e.to_string())?;
    match options.storm {
        Some(rounds) => storm(options, &entries, rounds, &engine),
        None => measure(options, &entries, &engine),
    }
}

fn measure(options: &Options, entries: &[&'static Entry], engine: &Engine) -> Result<bool, String> {
    let mut rows = Vec::new();
    for on in &options.on {
        rows.extend(measure_on(*on, options, entries, engine)?);
    }
    print(&rows, options.json, kernels::rows_table);
    Ok(rows.iter().all(|r| r.ok))
}

fn measure_on(
    on: Target,
    options: &Options,
    entries: &[&'static Entry],
    engine: &Engine,
) -> Result<Vec<Row>, String> {
    let size = |e: &Entry| options.size.unwrap_or(e.size);
    let device = match on.plug(engine, &options.device) {
        Ok(device) => device,
        Err(why) => {
            eprintln!("kernels: {why}");
            let missing = entries.iter().map(|e| Row::missing(e, size(e), on, &why));
            return Ok(missing.collect());
        }
    };
    let mut rows = Vec::new();
    for entry in entries {
        eprintln!("{} on {}", entry.name, on.name());
        rows.push(kernels::measure(entry, size(entry), on, engine));
    }
    if device.is_some() {
        engine.unplug(None).map_err(|e| e.to_string())?;
    }
    Ok(rows)
}

fn storm(
    options: &Options,
    entries: &[&'static Entry],
    rounds: usize,
    engine: &Engine,
) -> Result<bool, String> {
    let devices = options.on.iter().copied();
    let on = devices.clone().find(|on| on.device().is_some());
    let on = on.ok_or("a storm needs a device: --on sim or --on vulkan")?;
    eprintln!("{rounds} rounds of {}", on.name());
    let rows = kernels::storm(entries, (on, &options.device), rounds, engine)?;
    print(&rows, options.json, kernels::storm_table);
    Ok(rows.iter().all(|r| r.wrong == 0))
}

fn print<T: Serialize>(rows: &[T], json: bool, table: fn(&[T]) -> String) {
    if json {
        let text = serde_json::to_string_pretty(rows);
        println!("{}", text.expect("rows have only names and numbers"));
    } else {
        print!("{}", table(rows));
    }
}
