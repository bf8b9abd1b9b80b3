//! The table at the end.

use std::fmt::Write;

use image_service::Entry;

use crate::report::Report;
use crate::story::{Phase, Told};

/// All phases, all events and the verdict.
pub fn draw(told: &Told, report: &Report) -> String {
    let mut text = String::from("\n  phase          requests   a second\n");
    for phase in &told.phases {
        text += &phase_row(phase);
    }
    text += "\n  event          at   sites   switch     drain   first device result\n";
    for event in &report.events {
        text += &event_row(event);
    }
    text += &verdict(report);
    text
}

fn phase_row(phase: &Phase) -> String {
    let seconds = (phase.to_ms - phase.from_ms) / 1000.0;
    let rate = phase.requests as f64 / seconds;
    format!(
        "  {:<13} {:>9} {:>10.1}\n",
        phase.name, phase.requests, rate
    )
}

fn event_row(event: &Entry) -> String {
    let figure = |value: f64, unit: &str| match value {
        0.0 => "-".to_owned(),
        value => format!("{value:.0} {unit}"),
    };
    format!(
        "  {:<9} {:>5.1} s {:>6} {:>9} {:>9} {:>14}\n",
        event.kind.name(),
        event.at_ms as f64 / 1000.0,
        event.sites_patched,
        figure(event.switch_us, "us"),
        figure(event.drain_us, "us"),
        figure(event.first_device_result_ms.unwrap_or(0.0), "ms"),
    )
}

fn verdict(report: &Report) -> String {
    let mut text = format!(
        "\n  {} requests: {} wrong, {} lost, {} failed\n  {} calls of sections: {} on the CPU, {} with \
         chunks of the device (simulated), {} chunks run again\n",
        report.requests,
        report.wrong_results,
        report.lost_results,
        report.failed_requests,
        report.calls,
        report.calls_cpu,
        report.calls_device,
        report.chunks_replayed,
    );
    for problem in &report.problems {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  ! {problem}");
    }
    text += match report.ok {
        true => "  Every answer equals the CPU reference; nothing was lost.\n",
        false => "  NOT ALL WENT WELL.\n",
    };
    text
}
