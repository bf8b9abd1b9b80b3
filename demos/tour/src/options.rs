//! What the tour is asked for.

use std::path::PathBuf;

use clap::Parser;

/// An image service under load gains, loses and is robbed of a simulated accelerator; every answer is
/// compared with a reference computed in the same run.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// A PNG or JPEG to filter [default: the built-in photograph].
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Folder for the pictures, timeline.svg and report.json.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Where to write the report [default: report.json in the folder].
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// How long the load runs, all phases together.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..=3600))]
    pub seconds: u64,
    /// Concurrent clients.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub clients: u16,
}
