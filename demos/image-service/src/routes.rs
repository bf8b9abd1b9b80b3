//! The addresses of the service.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::{Refusal, filtering, live};

const PAGE: &str = include_str!("../assets/page.html");

/// The built-in photograph.
pub const SAMPLE: &[u8] = include_bytes!("../assets/astronaut.png");

/// Nothing but the page itself may be loaded or contacted.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/sample.png", get(sample))
        .route("/filter/{name}", get(filtering::get).post(filtering::post))
        .route("/status", get(live::status))
        .route("/events", get(live::events))
        .route("/devices/{what}", post(device))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}

async fn sample() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/png")], SAMPLE)
}

async fn nothing(request: Request) -> Refusal {
    Refusal::UnknownPath(request.uri().path().chars().take(80).collect())
}

async fn wrong_method(request: Request) -> Refusal {
    Refusal::Method {
        path: request.uri().path().chars().take(80).collect(),
        method: request.method().to_string(),
    }
}

/// `POST /devices/plug`, `unplug` or `kill`; answers with a sentence.
async fn device(
    State(app): State<Arc<App>>,
    Path(what): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    refuse_other_sites(&headers)?;
    // The engine waits for a device with its own deadlines: not on an async thread.
    let done = tokio::task::spawn_blocking(move || match what.as_str() {
        "plug" => app.accelerator.plug(),
        "unplug" => app.accelerator.unplug(),
        "kill" => app.accelerator.kill(),
        _ => Err(Refusal::UnknownPath(format!("/devices/{what}"))),
    });
    let text = done
        .await
        .map_err(|error| Refusal::Failed(error.to_string()))??;
    Ok((StatusCode::OK, format!("{text}\n")).into_response())
}

/// A page of another site may not plug and kill with its visitor's browser.
fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok())
    {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(Refusal::OtherSite),
    }
}
