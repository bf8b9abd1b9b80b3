//! The live view: a sampler makes one snapshot, and every viewer is sent the same bytes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::app::App;
use crate::view::{Sample, View};

/// Time from one snapshot to the next.
const PERIOD: Duration = Duration::from_millis(500);

/// Samples kept: two minutes.
const SAMPLES: usize = 240;

/// Snapshots to look back at for the rate: one second's worth.
const RATE_OVER: usize = 2;

/// `GET /status`: a snapshot made now.
pub async fn status(State(app): State<Arc<App>>) -> Response {
    let rps = app.samples.lock().back().map_or(0.0, |last| last.rps);
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, to_json(&view(&app, rps, true))).into_response()
}

/// `GET /events`: every snapshot from now on, until the service stops.
pub async fn events(State(app): State<Arc<App>>) -> impl IntoResponse {
    let stream = futures_util::stream::unfold(app.live.clone(), |mut live| async {
        live.changed().await.ok()?;
        let text = live.borrow_and_update().clone();
        Some((Ok::<_, Infallible>(Event::default().data(&*text)), live))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// Samples the throughput and publishes snapshots until it is dropped.
pub async fn sample(app: Arc<App>, publish: watch::Sender<Arc<str>>) {
    let mut ticks = tokio::time::interval(PERIOD);
    let mut marks = std::collections::VecDeque::new();
    loop {
        ticks.tick().await;
        marks.push_back((Instant::now(), app.meter.counts().served));
        let rps = rate(&mut marks);
        let view = view(&app, rps, false);
        keep(&app, &view);
        publish.send_replace(to_json(&view).into());
    }
}

fn keep(app: &App, view: &View) {
    let mut samples = app.samples.lock();
    if samples.len() == SAMPLES {
        samples.pop_front();
    }
    samples.push_back(Sample {
        at_ms: view.at_ms,
        rps: view.rps,
        device: view.devices.iter().any(|device| device.state == "bound"),
    });
}

fn rate(marks: &mut std::collections::VecDeque<(Instant, u64)>) -> f64 {
    if marks.len() > RATE_OVER + 1 {
        marks.pop_front();
    }
    match (marks.front(), marks.back()) {
        (Some(first), Some(last)) if marks.len() > 1 => {
            let rate = (last.1 - first.1) as f64 / (last.0 - first.0).as_secs_f64();
            (rate * 10.0).round() / 10.0
        }
        _ => 0.0,
    }
}

/// The viewers' stream leaves the engine's own status out: the page does not read it.
fn view(app: &App, rps: f64, whole: bool) -> View {
    let engine = app.accelerator.view();
    View {
        at_ms: app.start.elapsed().as_millis() as u64,
        rps,
        counts: app.meter.counts(),
        engine: engine.text,
        devices: engine.devices,
        sections: engine.sections,
        samples: app.samples.lock().iter().copied().collect(),
        events: engine.events,
        status: whole.then(|| own_json(&engine.status)),
    }
}

/// The engine's own status as it tells it.
fn own_json(status: &hotsled::Status) -> Box<RawValue> {
    RawValue::from_string(status.to_json()).expect("the engine writes JSON")
}

fn to_json(view: &View) -> String {
    serde_json::to_string(view).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}
