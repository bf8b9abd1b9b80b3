//! The page in a real browser: headless Chromium, driven by WebDriver.

mod browser;

use std::path::Path;
use std::time::Duration;

use browser::Browser;
use fantoccini::Locator;
use image_service::{Config, Control, Devices, Service};

/// The device host, built with the tests (`examples/device_host.rs`).
fn device_program() -> std::path::PathBuf {
    let service = Path::new(env!("CARGO_BIN_EXE_image-service"));
    service.with_file_name("examples").join("device_host")
}

/// A process has one engine, so these tests take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn start(folder: &Path) -> Service {
    Service::start(Config {
        listen: ([127, 0, 0, 1], 0).into(),
        concurrency: 2,
        devices: Devices {
            control: Control::At(folder.join("control.sock")),
            program: Some(device_program()),
            ..Devices::default()
        },
    })
    .expect("a free port and a fresh folder")
}

#[tokio::test(flavor = "multi_thread")]
async fn plug_unplug_and_kill_are_seen_on_the_page() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path());
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&format!("http://{}/", service.address()))
        .await
        .unwrap();
    browser.wait("#connection", |text| text == "live").await;
    browser.wait("#on-device", |text| text == "0 of 7").await;
    browser.click("#load").await;
    browser
        .wait("#rps", |text| text != "0" && text != "0.0")
        .await;

    browser.click("#plug").await;
    browser.exists("#devices [data-state=bound]").await;
    browser.wait("#on-device", |text| text != "0 of 7").await;
    browser.exists("#events [data-kind=plug]").await;
    browser.exists("#chart .mark[data-kind=plug]").await;
    browser.exists("#sections [data-where=device]").await;
    browser.wait("#moved-in", |text| text != "0 B").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    browser.screenshot("page-device").await;

    browser.click("#unplug").await;
    browser.exists("#events [data-kind=unplug]").await;
    browser.wait("#on-device", |text| text == "0 of 7").await;

    browser.click("#plug").await;
    browser.exists("#devices [data-state=bound]").await;
    browser.click("#kill").await;
    browser.exists("#events [data-kind=lost]").await;
    browser.exists("#chart .mark[data-kind=lost]").await;
    browser.wait("#on-device", |text| text == "0 of 7").await;
    browser
        .wait("#failed", |text| text == "no request failed")
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    browser.screenshot("page-lost").await;
    browser.stop().await;
    let (counts, drained) = tokio::task::spawn_blocking(|| service.stop())
        .await
        .unwrap();
    assert!(
        drained && counts.served > 0 && counts.failed == 0,
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_usable_without_a_mouse_and_says_what_it_shows() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path());
    let browser = Browser::start().await;
    let page = &browser.client;
    page.goto(&format!("http://{}/", service.address()))
        .await
        .unwrap();
    browser.wait("#connection", |text| text == "live").await;
    for check in [
        (
            "a language",
            "return document.documentElement.lang === 'en'",
        ),
        (
            "one first heading",
            "return document.querySelectorAll('h1').length === 1",
        ),
        (
            "named buttons",
            "return [...document.querySelectorAll('button')].every(b => b.textContent.trim())",
        ),
        (
            "a labelled select",
            "return document.getElementById('filter').labels.length === 1",
        ),
        (
            "described pictures",
            "return [...document.images].every(i => i.alt)",
        ),
        (
            "unique ids",
            "const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return new Set(ids).size === ids.length",
        ),
        (
            "nothing from elsewhere",
            "return performance.getEntriesByType('resource').every(r => r.name.startsWith(location.origin) || r.name.startsWith('data:'))",
        ),
    ] {
        let holds = page.execute(check.1, vec![]).await.unwrap();
        assert_eq!(holds, serde_json::Value::Bool(true), "{}", check.0);
    }
    let active = "return document.activeElement.id";
    let mut reached = Vec::new();
    for _ in 0..6 {
        page.find(Locator::Css("body")).await.unwrap();
        browser.press_tab().await;
        reached.push(page.execute(active, vec![]).await.unwrap());
    }
    for id in ["plug", "filter", "load", "events"] {
        assert!(
            reached.contains(&id.into()),
            "{id} by the keyboard: {reached:?}"
        );
    }
    page.set_window_size(390, 900).await.unwrap();
    let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
    assert_eq!(
        page.execute(fits, vec![]).await.unwrap(),
        true,
        "fits a narrow window"
    );
    browser.screenshot("page-narrow").await;
    browser.stop().await;
    drop(service);
}
