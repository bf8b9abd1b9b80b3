//! The `hotsled` command.
#![forbid(unsafe_code)]

mod live;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hotsled_cli::inspect::{self, Listing, Report};
use hotsled_cli::lowering;

/// Looks into programs with hotsled sections, and speaks to running ones.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lists the sections of an ELF file without running it
    Inspect(Inspect),
    #[command(flatten)]
    Live(live::Action),
}

#[derive(Args)]
struct Inspect {
    /// An executable or shared object
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Exit with 1 and name every fault, if there is one
    #[arg(long)]
    check: bool,
    /// Show this section only, by its path or the end of it
    #[arg(long)]
    section: Option<String>,
    /// Print another form; all but `ir` by running the device host program
    #[arg(long, conflicts_with = "json")]
    emit: Option<Emit>,
    /// The device host program; default: `hotsled-device` beside this one, else on the PATH
    #[arg(long)]
    device_program: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Emit {
    /// The virtual ISA's text form
    Ir,
    /// SPIR-V, for Vulkan devices
    Spirv,
    /// PTX, for NVIDIA's driver
    Ptx,
    /// Cranelift's form, for the simulated accelerator
    Clif,
    /// The simulated accelerator's code
    Asm,
}

fn main() -> ExitCode {
    let outcome = match Options::parse().action {
        Action::Inspect(options) => inspect(&options),
        Action::Live(action) => live::run(action).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hotsled: {error}");
        ExitCode::from(2)
    })
}

fn inspect(options: &Inspect) -> Result<ExitCode, String> {
    let name = options.file.display();
    let mut report = inspect::file(&options.file).map_err(|e| format!("{name} {e}"))?;
    if let Some(wanted) = &options.section {
        report
            .sections
            .retain(|s| s.path.ends_with(wanted.as_str()));
        if report.sections.is_empty() {
            return Err(format!("{name} has no section {wanted}"));
        }
    }
    show(&report, options)?;
    let faulty = !report.faults.is_empty();
    Ok(if options.check && faulty {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn show(report: &Report, options: &Inspect) -> Result<(), String> {
    if options.json {
        let text = serde_json::to_string_pretty(report).map_err(|e| e.to_string())?;
        out(&format!("{text}\n"))?;
    } else if let Some(form) = options.emit {
        return emit(report, form, options.device_program.as_deref());
    } else {
        out(&Listing(report).to_string())?;
    }
    Ok(())
}

/// Prints; a reader that has seen enough, as `head`, is no error.
fn out(text: &str) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("printing: {e}")),
        _ => Ok(()),
    }
}

fn emit(report: &Report, form: Emit, program: Option<&Path>) -> Result<(), String> {
    let name = form.to_possible_value().expect("no form is hidden");
    for section in &report.sections {
        let text = match form {
            Emit::Ir => section.ir.clone(),
            _ => lowering::text(program, &section.module, name.get_name())
                .map_err(|e| format!("{}: {e}", section.path))?,
        };
        out(&text)?;
    }
    Ok(())
}
