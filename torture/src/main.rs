//! Flips sleds under everything that a process can do to itself. See `README.md`.

mod failure;
mod must_fail;
mod random;
mod sleds;
mod switch;
mod tally;
mod trial;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Patchers, callers, signals, forks, objects and breakpoints, all at once
    Switch(switch::Options),
    /// Sabotaged variants, each of which must be caught, and controls that must survive
    MustFail(must_fail::Options),
    /// The process that `switch` watches
    #[command(hide = true)]
    SwitchHere(switch::Options),
    /// One variant of `must-fail`
    #[command(hide = true)]
    Variant(must_fail::One),
}

fn main() -> ExitCode {
    match Options::parse().action {
        Action::Switch(options) => switch::watched(&options),
        Action::MustFail(options) => must_fail::run(&options),
        Action::SwitchHere(options) => switch::here(&options),
        Action::Variant(one) => must_fail::here(&one),
    }
}
