//! A headless Chromium under WebDriver, and what the tests ask of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(30);

const MISSING: &str =
    "the page is tested in a real browser: apt-get install chromium chromium-driver";

pub struct Browser {
    pub client: Client,
    driver: Driver,
    _profile: tempfile::TempDir,
}

/// The chromedriver process, ended with the test.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Driver {
    /// Starts chromedriver on a free port; returns the port.
    fn start() -> (Self, u16) {
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn();
        let mut driver =
            Self(child.unwrap_or_else(|error| panic!("chromedriver: {error}; {MISSING}")));
        let output = BufReader::new(driver.0.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, port) = line.rsplit_once("on port ")?;
            port.trim_end_matches('.')
                .parse()
                .ok()
                .filter(|&port| port != 0)
        });
        // Keeps reading, so that chromedriver never meets a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        (driver, port.expect("chromedriver says its port"))
    }
}

impl Browser {
    pub async fn start() -> Self {
        let (driver, port) = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let profile_arg = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1240,1500",
            &profile_arg,
        ];
        let options = json!({ "args": arguments });
        let capabilities = [("goog:chromeOptions".to_owned(), options)]
            .into_iter()
            .collect();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|error| panic!("no browser session: {error}; {MISSING}"));
        Self {
            client,
            driver,
            _profile: profile,
        }
    }

    pub async fn stop(self) {
        self.client.close().await.expect("the browser ends");
        drop(self.driver);
    }

    pub async fn exists(&self, css: &str) -> Element {
        let found = self
            .client
            .wait()
            .at_most(DEADLINE)
            .for_element(Locator::Css(css))
            .await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("{css}: {error}; {}", self.state().await),
        }
    }

    /// Clicks an element as soon as it is enabled.
    pub async fn click(&self, css: &str) {
        self.exists(&format!("{css}:not(:disabled)"))
            .await
            .click()
            .await
            .unwrap();
    }

    /// Waits until the element's text is as wanted.
    pub async fn wait(&self, css: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let text = self.exists(css).await.text().await.unwrap();
            if wanted(&text) {
                return;
            }
            if Instant::now() > deadline {
                panic!("{css} stays {text:?}; {}", self.state().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn state(&self) -> String {
        let script = "return ['message', 'devices', 'events', 'sections'].map(id => id + ': ' + document.getElementById(id).innerText).join('\\n')";
        let state = self.client.execute(script, vec![]).await;
        state.map_or_else(
            |error| error.to_string(),
            |state| state.as_str().unwrap_or("").to_owned(),
        )
    }

    pub async fn press_tab(&self) {
        let keys = KeyActions::new("keys".to_owned())
            .then(KeyAction::Down { value: '\u{e004}' })
            .then(KeyAction::Up { value: '\u{e004}' });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Keeps a picture of the page in the tests' folder, to look at.
    pub async fn screenshot(&self, name: &str) {
        let png = self.client.screenshot().await.unwrap();
        let path = format!("{}/{name}.png", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&path, png).unwrap();
        println!("{path}");
    }
}
