//! One problem on both sides, checked and timed.

use std::time::Instant;

use crate::data::Data;
use crate::ours::Ours;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::row::{Row, Scheme};
use crate::side::Side;
use crate::suite::Entry;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Timed launches of each side; the median counts.
    pub runs: usize,
    /// The small size instead of the one to measure.
    pub small: bool,
}

/// Runs a kernel on both sides, turn about.
///
/// # Errors
/// A sentence about the first result that is wrong.
pub fn measure(
    entry: &Entry,
    ours: &mut Ours,
    peer: &Peer,
    effort: Effort,
) -> Result<[Row; 2], String> {
    let size = if effort.small {
        entry.small
    } else {
        entry.size
    };
    let problem = (entry.problem)(size);
    let (mut ours, mut peer) = (ours.bind(&problem), peer.bind(&problem));
    // Checked before, which also warms both up, and behind the timed runs.
    check(&problem, &mut ours, &mut peer)?;
    let seconds = times(&mut ours, &mut peer, effort.runs);
    let differences = check(&problem, &mut ours, &mut peer)?;
    let row = |scheme, n: usize| Row {
        bench: "kernels",
        kernel: problem.kernel,
        scheme,
        size,
        seconds: seconds[n],
        ratio: seconds[1] / seconds[n],
        difference: differences[n],
    };
    Ok([row(Scheme::Ours, 0), row(Scheme::Peer, 1)])
}

/// Median seconds of each. Who comes first changes from run to run.
fn times(ours: &mut dyn Side, peer: &mut dyn Side, runs: usize) -> [f64; 2] {
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for run in 0..runs {
        if run % 2 == 0 {
            our_times.push(time(ours));
            peer_times.push(time(peer));
        } else {
            peer_times.push(time(peer));
            our_times.push(time(ours));
        }
    }
    [median(our_times), median(peer_times)]
}

fn time(side: &mut dyn Side) -> f64 {
    let began = Instant::now();
    side.launch();
    began.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Differences of one launch on fresh data. Ours must have the plain loop's bits.
fn check(problem: &Problem, ours: &mut dyn Side, peer: &mut dyn Side) -> Result<[f64; 2], String> {
    let (ours, peer) = (fresh(problem, ours), fresh(problem, peer));
    let same = ours
        .iter()
        .map(Data::bytes)
        .eq(problem.wanted.iter().map(Data::bytes));
    let differences = [difference(problem, &ours), difference(problem, &peer)];
    let wrong = |who| {
        Err(format!(
            "{}: {who} is wrong: {differences:?}",
            problem.kernel
        ))
    };
    match differences {
        _ if !same => wrong("hotsled"),
        [_, peer] if peer > problem.tolerance => wrong("wgpu"),
        _ => Ok(differences),
    }
}

fn fresh(problem: &Problem, side: &mut dyn Side) -> Vec<Data> {
    side.reset(problem);
    side.launch();
    side.results(problem)
}

fn difference(problem: &Problem, results: &[Data]) -> f64 {
    let pairs = results.iter().zip(&problem.wanted);
    pairs
        .map(|(got, wanted)| got.difference(wanted))
        .fold(0.0, f64::max)
}
