//! Variants that break one rule each: what catches nothing here would catch nothing in the torture.
//!
//! The broken code is here, over pages of its own and over the epoch's own seam; no other crate has a
//! switch for it. Each variant runs in a child. A control keeps the rule that a variant breaks.

mod drain;
mod protocol;
mod stage;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::trial::{self, Outcome};

/// What `must-fail` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How long a variant may go uncaught
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long a control must survive
    #[arg(long, default_value_t = 5)]
    control_seconds: u64,
    /// Print a line of JSON for every variant
    #[arg(long)]
    json: bool,
}

/// One variant, in its own process.
#[derive(Clone, Debug, clap::Args)]
pub struct One {
    name: String,
    seconds: u64,
}

struct Variant {
    name: &'static str,
    /// What it breaks; none in a control.
    breaks: Option<&'static str>,
    run: fn(Duration),
}

const fn control(name: &'static str, run: fn(Duration)) -> Variant {
    let breaks = None;
    Variant { name, breaks, run }
}

const fn broken(name: &'static str, breaks: &'static str, run: fn(Duration)) -> Variant {
    let breaks = Some(breaks);
    Variant { name, breaks, run }
}

const VARIANTS: &[Variant] = &[
    control("one-store", stage::one_store),
    broken(
        "straddling",
        "a sled lies across two cache lines",
        stage::straddling,
    ),
    broken(
        "short-nops",
        "a sled is eight one-byte nops",
        stage::short_nops,
    ),
    control("three-syncs", stage::three_syncs),
    broken("no-sync", "no core-sync between the phases", stage::no_sync),
    control("second-look", drain::with_second_look),
    broken(
        "no-second-look",
        "no look at the generation after entry",
        drain::without_second_look,
    ),
];

#[derive(Serialize)]
struct Row {
    bench: &'static str,
    variant: &'static str,
    breaks: Option<&'static str>,
    caught: bool,
    by: String,
    seconds: f64,
}

/// Runs every variant and says what caught it.
pub fn run(options: &Options) -> ExitCode {
    let rows: Vec<_> = VARIANTS
        .iter()
        .map(|variant| row(variant, options))
        .collect();
    let right = rows.iter().all(|row| row.caught == row.breaks.is_some());
    if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn row(variant: &Variant, options: &Options) -> Row {
    let seconds = match variant.breaks {
        Some(_) => options.seconds,
        None => options.control_seconds,
    };
    let arguments = ["variant", variant.name, &seconds.to_string()].map(str::to_owned);
    let began = Instant::now();
    let limit = Duration::from_secs(seconds + 60);
    let outcome = trial::quiet(&arguments, limit).expect("this program can be started again");
    let row = Row {
        bench: "must-fail",
        variant: variant.name,
        breaks: variant.breaks,
        caught: !matches!(outcome, Outcome::Survived),
        by: outcome.to_string(),
        seconds: began.elapsed().as_secs_f64(),
    };
    if options.json {
        println!("{}", serde_json::to_string(&row).expect("a plain row"));
    } else {
        say(&row);
    }
    row
}

fn say(row: &Row) {
    let Row {
        variant,
        by,
        seconds,
        ..
    } = row;
    let (what, verdict) = match (row.breaks, row.caught) {
        (Some(breaks), true) => (breaks, "caught"),
        (Some(breaks), false) => (breaks, "NOT CAUGHT"),
        (None, false) => ("control", "ok"),
        (None, true) => ("control", "FAILED"),
    };
    println!("{verdict:<10} {variant:<15} {what}: {by}, after {seconds:.1} s");
}

/// Runs one variant; being caught ends the process.
pub fn here(one: &One) -> ExitCode {
    let Some(variant) = VARIANTS.iter().find(|variant| variant.name == one.name) else {
        eprintln!("no variant is named {}", one.name);
        return ExitCode::from(2);
    };
    (variant.run)(Duration::from_secs(one.seconds));
    ExitCode::SUCCESS
}
