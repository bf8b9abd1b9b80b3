//! Sleds of this process flip while everything else goes on.

mod breakpoints;
mod callers;
mod field;
mod forks;
mod objects;
mod patchers;
mod signals;
mod threads;
mod watch;
mod way;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::failure::{self, fail};
use crate::random::Random;
use crate::sleds;
use crate::tally::{Counts, TALLY};
use crate::trial::{self, Outcome};
use field::Field;
use way::Way;

/// How long no session may end before the torture counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `switch` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How long, all ways together
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decides which sites, sets and pauses; the threads' order is chance all the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How sleds are written; without it every way has its share of the time
    #[arg(long)]
    way: Option<Way>,
    /// Print a line of JSON for every way
    #[arg(long)]
    json: bool,
}

/// What a kind of trouble does until the field is closed.
type Run = fn(&Field, Random);

/// Who takes part: a name, how many of it, and what each does.
///
/// A new kind of trouble is a module with one such function, and one line here.
const MENU: &[(&str, usize, Run)] = &[
    ("caller", 3, callers::run),
    ("patcher", 3, patchers::run),
    ("signals", 1, signals::run),
    ("forks", 1, forks::run),
    ("objects", 1, objects::run),
    ("breakpoints", 1, breakpoints::run),
    ("threads", 1, threads::run),
    ("watch", 1, watch::run),
];

/// Runs the torture in a child for every way, so that a crash or a hang is reported, too.
pub fn watched(options: &Options) -> ExitCode {
    let ways = options
        .way
        .map_or_else(|| Way::ALL.to_vec(), |way| vec![way]);
    let seconds = options.seconds.div_ceil(ways.len() as u64);
    let survived = |way: &Way| watch_one(options, *way, seconds);
    if ways.iter().all(survived) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn watch_one(options: &Options, way: Way, seconds: u64) -> bool {
    let mut arguments = vec!["switch-here".to_owned(), format!("--way={}", way.name())];
    arguments.push(format!("--seconds={seconds}"));
    arguments.push(format!("--seed={}", options.seed));
    arguments.extend(options.json.then(|| "--json".to_owned()));
    let limit = Duration::from_secs(seconds) + 3 * PATIENCE;
    let outcome = trial::shown(&arguments, limit).expect("this program can be started again");
    match &outcome {
        Outcome::Survived => return true,
        Outcome::Failed(_) => {} // it has said why
        Outcome::Killed(_) | Outcome::Hung => {
            eprintln!("torture: FAILED: the process was {outcome}");
        }
    }
    false
}

/// Runs the torture in this process; a failure ends it.
pub fn here(options: &Options) -> ExitCode {
    failure::catch_faults(sleds::address(0));
    let field = Field::open(options.way.unwrap_or(Way::Mem));
    let field = field.unwrap_or_else(|error| fail(format_args!("cannot begin: {error}")));
    std::thread::scope(|scope| {
        let kinds = MENU.iter().flat_map(|kind| (0..kind.1).map(move |_| kind));
        for (stream, (name, _, run)) in kinds.enumerate() {
            let (field, random) = (&field, Random::new(options.seed, stream as u64));
            let body = move || field.with_crew(|| run(field, random));
            let thread = std::thread::Builder::new().name((*name).to_owned());
            thread.spawn_scoped(scope, body).expect("a thread");
        }
        oversee(Duration::from_secs(options.seconds));
        field.close();
    });
    field.settle();
    conclude(&field, options);
    ExitCode::SUCCESS
}

/// Shows progress until the time is over.
fn oversee(time: Duration) {
    let (began, every) = (Instant::now(), (time / 6).max(Duration::from_secs(1)));
    let (mut shown, mut moved, mut sessions) = (began, began, 0);
    while began.elapsed() < time {
        std::thread::sleep(Duration::from_millis(100));
        let counts = TALLY.counts();
        if counts.sessions != sessions {
            (moved, sessions) = (Instant::now(), counts.sessions);
        }
        if moved.elapsed() > PATIENCE {
            fail(format_args!("no session ended for {PATIENCE:?}"));
        }
        if shown.elapsed() >= every {
            shown = Instant::now();
            eprintln!(
                "torture: {:>5} s  {}",
                began.elapsed().as_secs(),
                line(&counts)
            );
        }
    }
}

fn line(counts: &Counts) -> String {
    let (toggles, sessions, calls) = (counts.toggles, counts.sessions, counts.calls());
    let (forks, scans) = (counts.forks, counts.scans);
    format!("{toggles} toggles in {sessions} sessions, {calls} calls, {forks} forks, {scans} scans")
}

/// A torture in which something did not happen proves nothing about it.
fn conclude(field: &Field, options: &Options) {
    let counts = TALLY.counts();
    let (seconds, seed, traps) = (options.seconds, options.seed, field.patcher.traps());
    let happened = serde_json::to_value(counts).expect("plain numbers");
    let mut must = vec![
        "toggles", "old", "new", "signals", "forks", "objects", "threads", "scans",
    ];
    if field.way.takes_breakpoints() {
        must.extend(["breakpoints", "refused"]);
    }
    if let Some(name) = must.into_iter().find(|name| happened[name] == 0) {
        fail(format_args!(
            "{name}: 0; the torture did less than it should"
        ));
    }
    if options.json {
        let mut row = happened;
        row["bench"] = "torture".into();
        row["way"] = field.way.name().into();
        row["seconds"] = seconds.into();
        row["seed"] = seed.into();
        row["calls"] = counts.calls().into();
        row["traps"] = traps.into();
        println!("{row}");
    } else {
        let way = field.way.name();
        let all = line(&counts);
        println!("{seconds} s by {way}, seed {seed}: nothing wrong in {all}");
        println!("{counts:#?}\ntraps: {traps}");
    }
}
