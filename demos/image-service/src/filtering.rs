//! `POST /filter/{name}` and `GET /filter/{name}?image=sample`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::options::Options;
use crate::{Filter, Picture, Refusal};

/// Longest body taken.
pub const MAX_BODY: usize = 32 << 20;

/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// Filters the picture in the body.
pub async fn post(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    pairs: Pairs,
    body: Body,
) -> Response {
    counted(&app, async {
        let filter = Filter::parse(&name, &read_pairs(pairs)?)?;
        let bytes = read_body(body).await?;
        run(&app, filter, move || Picture::decode(&bytes).map(Arc::new)).await
    })
    .await
}

/// Filters the built-in sample.
pub async fn get(State(app): State<Arc<App>>, Path(name): Path<String>, pairs: Pairs) -> Response {
    counted(&app, async {
        let mut pairs = read_pairs(pairs)?;
        let image = Options::new(&pairs).take("image")?.map(str::to_owned);
        pairs.retain(|(key, _)| key != "image");
        let filter = Filter::parse(&name, &pairs)?;
        match image.as_deref() {
            None | Some("sample") => {}
            Some(other) => return Err(Refusal::UnknownImage(other.chars().take(40).collect())),
        }
        let sample = app.sample.clone();
        run(&app, filter, move || Ok(sample)).await
    })
    .await
}

async fn counted(app: &App, answer: impl Future<Output = Result<Response, Refusal>>) -> Response {
    let running = app.meter.begin();
    let response = answer.await.into_response();
    running.end(response.status());
    response
}

fn read_pairs(pairs: Pairs) -> Result<Vec<(String, String)>, Refusal> {
    pairs
        .map(|Query(pairs)| pairs)
        .map_err(|error| Refusal::Query(error.body_text()))
}

async fn read_body(body: Body) -> Result<Bytes, Refusal> {
    let seconds = BODY_DEADLINE.as_secs();
    let read = tokio::time::timeout(BODY_DEADLINE, to_bytes(body, MAX_BODY)).await;
    read.map_err(|_| Refusal::Slow { seconds })?
        .map_err(|error| body_refusal(&error))
}

fn body_refusal(error: &axum::Error) -> Refusal {
    let too_long = std::error::Error::source(error)
        .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
    match too_long {
        true => Refusal::TooLong { limit: MAX_BODY },
        false => Refusal::Truncated,
    }
}

/// Runs a filter on a blocking thread: sections use the CPU for long, and async threads must not.
async fn run<L>(app: &Arc<App>, filter: Filter, load: L) -> Result<Response, Refusal>
where
    L: FnOnce() -> Result<Arc<Picture>, Refusal> + Send + 'static,
{
    // The permit moves into the closure: work goes on when the client leaves, and still counts.
    let permit = app.gate.enter().await?;
    let app = app.clone();
    let work = move || {
        let _permit = permit;
        let picture = load()?;
        let start = Instant::now();
        let result = filter.run(&picture);
        app.meter.filtered(start.elapsed());
        result.encode()
    };
    let done = tokio::task::spawn_blocking(work).await;
    let png = done.map_err(|error| Refusal::Failed(error.to_string()))??;
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((StatusCode::OK, headers, png).into_response())
}
