//! `timeline.svg`: throughput over time, where every section ran, and what happened.

use image_service::{Entry, Kind};

use crate::answers::Answer;
use crate::chart::{Canvas, Scale};
use crate::report::Report;
use crate::sampler::{Place, Sample};
use crate::story::Told;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 1170.0;
const TOP: f64 = 150.0;
const GROUND: f64 = 380.0;
const LANES: f64 = 430.0;
const LANE: f64 = 22.0;

/// Width of one throughput bin.
const BIN_MS: f64 = 500.0;

/// Samples that make one bar: half a second.
const GROUP: usize = 5;

const STYLE: &str = "
text { font: 13px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #566072; }
.page { fill: #fbfaf7; } .title { font-size: 22px; font-weight: 650; fill: #1c2430; } .name { fill: #1c2430; text-anchor: end; }
.end { text-anchor: end; } .middle { text-anchor: middle; } .phase { text-anchor: middle; font-size: 12px; }
.grid { stroke: #e6e3da; } .edge { stroke: #d2cec2; stroke-dasharray: 2 4; }
.cpu.fill { fill: #3f62a8; opacity: .2; } .cpu.curve { fill: none; stroke: #3f62a8; stroke-width: 2; stroke-linejoin: round; }
.device.fill { fill: #0b7a63; opacity: .25; } .device.curve { fill: none; stroke: #0b7a63; stroke-width: 2; stroke-linejoin: round; }
.lane { fill: #f0eee7; } .on-cpu { fill: #8fa6d3; } .on-device { fill: #0b7a63; } .on-mixed { fill: #6fb9a6; }
.mark { stroke-width: 1.5; } .mark.plug { stroke: #0b7a63; } .mark.unplug { stroke: #3f62a8; } .mark.lost { stroke: #b3213f; } .mark.refused { stroke: #8a5a00; }
.label { font-weight: 600; } .label.plug { fill: #0b7a63; } .label.unplug { fill: #3f62a8; } .label.lost { fill: #b3213f; } .label.refused { fill: #8a5a00; }
";

/// Draws the story.
pub fn draw(told: &Told, report: &Report) -> String {
    let last = told.phases.last().map_or(1.0, |phase| phase.to_ms);
    let first = told.phases.first().map_or(0.0, |phase| phase.from_ms);
    let time = Scale {
        values: (first, last.max(first + 1.0)),
        pixels: (LEFT, RIGHT),
    };
    let height = LANES + LANE * told.view.sections.len() as f64 + 70.0;
    let summary = summary(report);
    let mut canvas = Canvas::new(WIDTH, height, "Timeline of the tour", &summary, STYLE);
    canvas.rect("page", (0.0, 0.0), (WIDTH, height));
    canvas.text(
        "title",
        (LEFT - 110.0, 44.0),
        "One service, one accelerator that comes and goes",
    );
    canvas.text("", (LEFT - 110.0, 68.0), &summary);
    legend(&mut canvas);
    throughput(&mut canvas, time, &told.answers, &told.samples);
    lanes(&mut canvas, time, told);
    phases(&mut canvas, time, told);
    events(&mut canvas, time, &report.events, height - 62.0);
    axis(&mut canvas, time, height - 62.0);
    canvas.finish()
}

fn summary(report: &Report) -> String {
    format!(
        "{} requests: {} wrong, {} lost, {} failed. {} chunks of a lost device were run again on the CPU. \
         The accelerator is simulated.",
        report.requests,
        report.wrong_results,
        report.lost_results,
        report.failed_requests,
        report.chunks_replayed
    )
}

fn legend(canvas: &mut Canvas) {
    let items = [
        ("on-cpu", "CPU"),
        ("on-mixed", "both"),
        ("on-device", "device"),
    ];
    for (k, (class, name)) in items.into_iter().enumerate() {
        let x = RIGHT - 210.0 + 75.0 * k as f64;
        canvas.rect(class, (x, 32.0), (14.0, 14.0));
        canvas.text("", (x + 20.0, 44.0), name);
    }
}

/// Requests a second in bins; one area for each stretch with or without a device.
fn throughput(canvas: &mut Canvas, time: Scale, answers: &[Answer], samples: &[Sample]) {
    let rates = rates(time.values, answers);
    let most = rates
        .iter()
        .fold(1.0, |most: f64, (_, rate)| most.max(*rate));
    let rate = Scale {
        values: (0.0, most * 1.08),
        pixels: (GROUND, TOP),
    };
    for tick in rate.ticks(5.0) {
        canvas.line("grid", (LEFT, rate.at(tick)), (RIGHT, rate.at(tick)));
        canvas.text(
            "end",
            (LEFT - 10.0, rate.at(tick) + 4.0),
            &format!("{tick}"),
        );
    }
    canvas.text("end", (LEFT - 10.0, TOP - 14.0), "requests / s");
    let mut from = 0;
    for at in 1..=rates.len() {
        let bound = |k: usize| bound_at(samples, rates[k].0);
        if at < rates.len() && bound(at) == bound(from) {
            continue;
        }
        // Reaches to the next stretch's first point, so that the curve is whole.
        let part = &rates[from..(at + 1).min(rates.len())];
        let points: Vec<_> = part
            .iter()
            .map(|(t, r)| (time.at(*t), rate.at(*r)))
            .collect();
        canvas.area(if bound(from) { "device" } else { "cpu" }, &points, GROUND);
        from = at;
    }
}

/// Middle of each bin in milliseconds, and its requests a second.
fn rates((from, to): (f64, f64), answers: &[Answer]) -> Vec<(f64, f64)> {
    let bins = ((to - from) / BIN_MS).floor().max(1.0);
    let mut counts = vec![0.0; bins as usize];
    for answer in answers {
        let bin = (answer.at_ms - from) / BIN_MS;
        if bin >= 0.0 && bin < bins {
            counts[bin as usize] += 1.0;
        }
    }
    let middle = |k: usize| from + (k as f64 + 0.5) * BIN_MS;
    let bins = counts.iter().enumerate();
    bins.map(|(k, count)| (middle(k), count * 1000.0 / BIN_MS))
        .collect()
}

fn bound_at(samples: &[Sample], at_ms: f64) -> bool {
    let next = samples.partition_point(|sample| sample.at_ms < at_ms);
    samples
        .get(next)
        .or(samples.last())
        .is_some_and(|sample| sample.bound)
}

/// One lane for each section; neighbouring samples of one place are one bar.
fn lanes(canvas: &mut Canvas, time: Scale, told: &Told) {
    for (lane, section) in told.view.sections.iter().enumerate() {
        let y = LANES + LANE * lane as f64;
        canvas.text("name", (LEFT - 10.0, y + 12.0), &section.name);
        canvas.rect("lane", (LEFT, y), (RIGHT - LEFT, LANE - 6.0));
        for (place, from, to) in bars(&told.samples, lane, time.values.0) {
            let class = match place {
                Place::Idle => continue,
                Place::Cpu => "on-cpu",
                Place::Device => "on-device",
                Place::Mixed => "on-mixed",
            };
            let (x, end) = (time.at(from).max(LEFT), time.at(to).min(RIGHT));
            canvas.rect(class, (x, y), (end - x, LANE - 6.0));
        }
    }
}

fn bars(samples: &[Sample], lane: usize, start: f64) -> Vec<(Place, f64, f64)> {
    let mut bars: Vec<(Place, f64, f64)> = Vec::new();
    let mut from = start;
    let samples: Vec<&Sample> = samples.iter().filter(|s| s.at_ms > start).collect();
    for group in stretches(&samples) {
        let places = group.iter().filter_map(|sample| sample.places.get(lane));
        let place = places.fold(Place::Idle, |all, place| all.and(*place));
        let to = group.last().map_or(from, |sample| sample.at_ms);
        match bars.last_mut() {
            Some(bar) if bar.0 == place => bar.2 = to,
            _ => bars.push((place, from, to)),
        }
        from = to;
    }
    bars
}

/// Groups of at most [`GROUP`] samples, none of which spans a plug or its end.
fn stretches<'a>(samples: &'a [&'a Sample]) -> impl Iterator<Item = &'a [&'a Sample]> {
    let same = samples.chunk_by(|a, b| a.bound == b.bound);
    same.flat_map(|stretch| stretch.chunks(GROUP))
}

fn phases(canvas: &mut Canvas, time: Scale, told: &Told) {
    for phase in &told.phases {
        if phase.from_ms > time.values.0 {
            let x = time.at(phase.from_ms);
            canvas.line("edge", (x, GROUND), (x, GROUND + 28.0));
        }
        let middle = (time.at(phase.from_ms) + time.at(phase.to_ms)) / 2.0;
        canvas.text(
            "phase",
            (middle, GROUND + 20.0),
            &phase.name.replace('-', " "),
        );
    }
}

fn events(canvas: &mut Canvas, time: Scale, events: &[Entry], bottom: f64) {
    for event in events {
        let x = time.at(event.at_ms as f64);
        let (kind, sign) = match event.kind {
            Kind::Plug => ("plug", "▲ plug"),
            Kind::Unplug => ("unplug", "▼ unplug"),
            Kind::Lost => ("lost", "✕ killed"),
            Kind::Refused => ("refused", "◆ refused"),
            Kind::Note => continue,
        };
        canvas.line(&format!("mark {kind}"), (x, TOP - 18.0), (x, bottom));
        canvas.text(&format!("middle label {kind}"), (x, TOP - 38.0), sign);
        let (sites, us) = (event.sites_patched, event.switch_us);
        if sites > 0 {
            canvas.text(
                "phase",
                (x, TOP - 24.0),
                &format!("{sites} sleds, {us:.0} µs"),
            );
        }
    }
}

fn axis(canvas: &mut Canvas, time: Scale, bottom: f64) {
    let seconds = Scale {
        values: (0.0, (time.values.1 - time.values.0) / 1000.0),
        pixels: time.pixels,
    };
    canvas.line("grid", (LEFT, bottom), (RIGHT, bottom));
    for tick in seconds.ticks(10.0) {
        canvas.text(
            "middle",
            (seconds.at(tick), bottom + 20.0),
            &format!("{tick} s"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Verdict;

    #[test]
    fn every_answer_in_time_is_in_one_bin() {
        let answers: Vec<Answer> = [0.0, 100.0, 499.0, 500.0, 1499.0, 1500.0]
            .map(|at_ms| Answer {
                at_ms,
                verdict: Verdict::Right,
            })
            .into();
        let rates = rates((0.0, 1500.0), &answers);
        assert_eq!(rates, [(250.0, 6.0), (750.0, 2.0), (1250.0, 2.0)]);
    }

    #[test]
    fn a_bar_is_half_a_second_and_ends_with_the_device() {
        let at = |at_ms, bound, place| Sample {
            at_ms,
            bound,
            places: vec![place],
        };
        let samples = [
            at(10.0, true, Place::Device),
            at(20.0, true, Place::Cpu),
            at(30.0, false, Place::Idle),
            at(40.0, false, Place::Cpu),
        ];
        let expected = [(Place::Mixed, 0.0, 20.0), (Place::Cpu, 20.0, 40.0)];
        assert_eq!(bars(&samples, 0, 0.0), expected);
        assert_eq!(bars(&samples, 7, 0.0), [(Place::Idle, 0.0, 40.0)]);
    }
}
