//! The report: what happened, as JSON.

use image_service::{EngineView, Entry, Kind};
use serde::Serialize;

use crate::answers::Tally;
use crate::story::{Phase, Told};

/// Everything the tour reports.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The accelerator of this tour is a simulation; its speed says nothing about a card.
    pub simulated: bool,
    /// Whether everything was right and the story went as told.
    pub ok: bool,
    /// What was not, in sentences.
    pub problems: Vec<String>,
    /// Requests sent.
    pub requests: u64,
    /// Calls of sections.
    pub calls: u64,
    /// Calls that ran on the CPU alone.
    pub calls_cpu: u64,
    /// Calls of which a device committed at least one chunk.
    pub calls_device: u64,
    /// Chunks of a device that were run again on the CPU.
    pub chunks_replayed: u64,
    /// Answers that differ from the reference.
    pub wrong_results: u64,
    /// Requests without a whole answer.
    pub lost_results: u64,
    /// Answers other than 200.
    pub failed_requests: u64,
    /// Devices bound.
    pub plugs: u64,
    /// Devices that went gracefully.
    pub unplugs: u64,
    /// Devices that were killed.
    pub kills: u64,
    /// Devices that were refused.
    pub refusals: u64,
    /// Plugs, unplugs, losses and refusals in order.
    pub events: Vec<Entry>,
    /// The phases in order.
    pub phases: Vec<Phase>,
}

impl Report {
    /// The report of a story.
    pub fn new(told: &Told) -> Self {
        let tally = Tally::of(&told.answers);
        let sum = |count: fn(&image_service::SectionView) -> u64| -> u64 {
            told.view.sections.iter().map(count).sum()
        };
        let count = |kind| {
            told.events
                .iter()
                .filter(|event| event.kind == kind)
                .count() as u64
        };
        let (calls_cpu, calls_device) = (sum(|s| s.calls_cpu), sum(|s| s.calls_device));
        let mut report = Self {
            simulated: true,
            ok: false,
            problems: told.problems.clone(),
            requests: tally.requests,
            calls: calls_cpu + calls_device,
            calls_cpu,
            calls_device,
            chunks_replayed: sum(|s| s.chunks_replayed),
            wrong_results: tally.wrong,
            lost_results: tally.lost,
            failed_requests: tally.failed,
            plugs: count(Kind::Plug),
            unplugs: count(Kind::Unplug),
            kills: count(Kind::Lost),
            refusals: count(Kind::Refused),
            events: told.events.clone(),
            phases: told.phases.clone(),
        };
        report.judge(tally, &told.view);
        report
    }

    fn judge(&mut self, tally: Tally, view: &EngineView) {
        if !tally.clean() {
            self.problems.push(format!(
                "Of {} requests {} were answered wrongly, {} lost and {} failed.",
                tally.requests, tally.wrong, tally.lost, tally.failed
            ));
        }
        if self.calls_device == 0 {
            let why = view.sections.first().map_or("", |section| &section.why);
            self.problems
                .push(format!("No call ran on the device ({why})."));
        }
        let events = (self.plugs, self.unplugs, self.kills, self.refusals);
        if events != (2, 1, 1, 1) {
            self.problems.push(format!(
                "The engine reported {} plugs, {} unplugs, {} losses and {} refusals instead of 2, 1, 1 and 1.",
                events.0, events.1, events.2, events.3
            ));
        }
        self.ok = self.problems.is_empty();
    }
}
