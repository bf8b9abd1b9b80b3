//! A real server on a free port: good requests, and every bad one with its status and sentence.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use image_service::{Config, Control, Devices, Filter, Picture, Service, reference};
use tempfile::TempDir;

/// A process has one engine, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

struct Guarded {
    service: Service,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Guarded {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

fn start() -> Guarded {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Config {
        listen: ([127, 0, 0, 1], 0).into(),
        concurrency: 2,
        devices: Devices {
            control: Control::At(folder.path().join("control.sock")),
            ..Devices::default()
        },
    });
    Guarded {
        service: service.expect("a free port and a fresh folder"),
        _folder: folder,
        _turn: turn,
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .new_agent()
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Vec<u8>) {
    let mut response = response.expect("an answer");
    let body = response
        .body_mut()
        .with_config()
        .limit(1 << 26)
        .read_to_vec();
    (response.status().as_u16(), body.expect("a whole answer"))
}

fn get(at: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    answer(agent().get(format!("http://{at}{path}")).call())
}

fn post(at: SocketAddr, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    answer(agent().post(format!("http://{at}{path}")).send(body))
}

/// One sentence: a capital, a full stop, one line.
fn assert_sentence(body: &[u8]) {
    let text = String::from_utf8(body.to_vec()).expect("text");
    let line = text.trim_end();
    assert!(!line.contains('\n') && line.len() < 300, "{text}");
    assert!(line.ends_with('.'), "{text}");
    assert!(!line.starts_with(|c: char| c.is_lowercase()), "{text}");
}

fn crop() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/reference/crop.png")).unwrap()
}

#[test]
fn every_filter_answers_what_the_reference_says() {
    let service = start();
    let bytes = crop();
    let picture = Picture::decode(&bytes).unwrap();
    for filter in Filter::all() {
        let (status, body) = post(
            service.address(),
            &format!("/filter/{}", filter.name()),
            &bytes,
        );
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        assert_eq!(
            Picture::decode(&body).unwrap(),
            reference::run(filter, &picture)
        );
    }
    let (counts, drained) = service.service.stop();
    assert_eq!((counts.served, counts.refused, counts.running), (5, 0, 0));
    assert!(drained);
}

#[test]
fn options_of_the_query_are_used() {
    let service = start();
    let picture = Picture::decode(&crop()).unwrap();
    let pairs = [
        ("window".to_owned(), "9".to_owned()),
        ("gain".to_owned(), "30".to_owned()),
    ];
    let filter = Filter::parse("contrast", &pairs).unwrap();
    let (status, body) = post(
        service.address(),
        "/filter/contrast?window=9&gain=30",
        &crop(),
    );
    assert_eq!(status, 200);
    assert_eq!(
        Picture::decode(&body).unwrap(),
        reference::run(filter, &picture)
    );
    let (status, body) = get(service.address(), "/filter/sobel?image=sample");
    assert_eq!((status, &body[1..4]), (200, &b"PNG"[..]));
}

#[test]
fn bad_requests_get_their_status_and_a_sentence() {
    let service = start();
    let at = service.address();
    let bytes = crop();
    let cases: &[(&str, &[u8], u16)] = &[
        ("/filter/sharpen", &bytes, 404),
        ("/filter/blur", b"", 400),
        ("/filter/blur", b"not a picture", 415),
        ("/filter/blur", &bytes[..bytes.len() / 2], 400),
        ("/filter/blur", &bytes[..20], 400),
        ("/filter/blur?sigma=0", &bytes, 400),
        ("/filter/blur?sigma=-1", &bytes, 400),
        ("/filter/blur?sigma=nan", &bytes, 400),
        ("/filter/blur?sigma=inf", &bytes, 400),
        ("/filter/blur?sigma=two", &bytes, 400),
        ("/filter/blur?sigma=2&sigma=3", &bytes, 400),
        ("/filter/blur?sigma=32&truncate=10", &bytes, 400),
        ("/filter/blur?gain=3", &bytes, 400),
        ("/filter/sobel?sigma=2", &bytes, 400),
        ("/filter/contrast?window=30", &bytes, 400),
        ("/filter/contrast?window=999", &bytes, 400),
        ("/filter/unsharp?amount=1e9", &bytes, 400),
        ("/nothing/here", &bytes, 404),
        ("/devices/polish", b"", 404),
        ("/status", b"", 405),
    ];
    for (path, body, expected) in cases {
        let (status, text) = post(at, path, body);
        assert_eq!(
            status,
            *expected,
            "{path}: {}",
            String::from_utf8_lossy(&text)
        );
        assert_sentence(&text);
    }
    for (path, expected) in [("/filter/blur?image=moon", 404), ("/devices/plug", 405)] {
        let (status, text) = get(at, path);
        assert_eq!(status, expected, "{path}");
        assert_sentence(&text);
    }
    assert_eq!(get(at, "/filter/blur").0, 200, "and the service goes on");
}

/// Sends raw bytes, ends the sending side, and reads what comes.
fn raw(at: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(request).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_truncated_request_is_answered() {
    let service = start();
    let mut request =
        b"POST /filter/blur HTTP/1.1\r\nHost: x\r\nContent-Length: 12551\r\n\r\n".to_vec();
    request.extend(&crop()[..100]);
    let answer = raw(service.address(), &request);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    assert!(answer.contains("ended early"), "{answer:?}");
    assert_eq!(get(service.address(), "/filter/blur").0, 200);
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let service = start();
    let (status, text) = post(service.address(), "/filter/blur", &vec![0; (32 << 20) + 1]);
    assert_eq!(status, 413);
    assert_sentence(&text);
}

#[test]
fn devices_are_not_moved_from_another_site() {
    let service = start();
    let request = agent()
        .post(format!("http://{}/devices/plug", service.address()))
        .header("sec-fetch-site", "cross-site");
    let (status, text) = answer(request.send_empty());
    assert_eq!(status, 403);
    assert_sentence(&text);
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    let service = start();
    let again = Service::start(Config {
        listen: service.address(),
        concurrency: 1,
        devices: Devices::default(),
    });
    let error = again.err().expect("the port is taken").to_string();
    assert!(
        error.contains(&service.address().to_string()) && error.contains("--listen"),
        "{error}"
    );
}

#[test]
fn the_page_and_its_figures_are_served() {
    let service = start();
    let at = service.address();
    let (status, page) = get(at, "/");
    let page = String::from_utf8(page).unwrap();
    assert_eq!(status, 200);
    assert!(
        !page.contains("src=\"http") && !page.contains("@import"),
        "no external assets"
    );
    assert_eq!(get(at, "/sample.png").1[..4], *b"\x89PNG");
    let status: serde_json::Value = serde_json::from_slice(&get(at, "/status").1).unwrap();
    assert_eq!(status["counts"]["served"], 0);
    get(at, "/filter/blur");
    let status: serde_json::Value = serde_json::from_slice(&get(at, "/status").1).unwrap();
    assert_eq!(status["counts"]["served"], 1);
}

#[test]
fn an_open_event_stream_does_not_hold_up_the_end() {
    let service = start();
    let mut stream = TcpStream::connect(service.address()).unwrap();
    stream
        .write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains("data: {\"at_ms\"") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "a snapshot comes");
        seen.extend(&buffer[..read]);
    }
    let begin = std::time::Instant::now();
    assert!(service.service.stop().1, "drained");
    assert!(begin.elapsed() < Duration::from_secs(5));
}
