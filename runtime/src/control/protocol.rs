//! Requests and answers.

use miniserde::{Deserialize, Serialize, json};

use crate::config::{DeviceKind, PlugOptions};

/// Longest request in bytes.
pub(super) const MAX_REQUEST: usize = 64 << 10;

/// What a client asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// Everything at this moment.
    Status,
    /// Plug a device.
    Plug(PlugOptions),
    /// Unplug one, or all.
    Unplug {
        /// Its name.
        device: Option<String>,
    },
    /// SIGKILL a device's host.
    Kill {
        /// The device's name.
        device: String,
    },
}

/// A request as it travels.
#[derive(Serialize, Deserialize)]
struct Request {
    #[serde(rename = "do")]
    verb: Verb,
    device: Option<String>,
    kind: Option<DeviceKind>,
    name: Option<String>,
    arguments: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
enum Verb {
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "plug")]
    Plug,
    #[serde(rename = "unplug")]
    Unplug,
    #[serde(rename = "kill")]
    Kill,
}

impl Ask {
    /// The request in `line`, if it is one.
    pub(super) fn read(line: &str) -> Option<Self> {
        let request: Request = json::from_str(line).ok()?;
        Some(match request.verb {
            Verb::Status => Self::Status,
            Verb::Plug => Self::Plug(PlugOptions {
                kind: request.kind.unwrap_or_default(),
                name: request.name,
                arguments: request.arguments.unwrap_or_default(),
            }),
            Verb::Unplug => Self::Unplug {
                device: request.device,
            },
            Verb::Kill => Self::Kill {
                device: request.device?,
            },
        })
    }

    /// As a line.
    pub(super) fn write(self) -> String {
        let mut request = Request {
            verb: Verb::Status,
            device: None,
            kind: None,
            name: None,
            arguments: None,
        };
        match self {
            Self::Status => {}
            Self::Plug(options) => {
                request.verb = Verb::Plug;
                request.kind = Some(options.kind);
                request.name = options.name;
                request.arguments = Some(options.arguments);
            }
            Self::Unplug { device } => (request.verb, request.device) = (Verb::Unplug, device),
            Self::Kill { device } => (request.verb, request.device) = (Verb::Kill, Some(device)),
        }
        json::to_string(&request) + "\n"
    }
}

/// What the service answers: what was asked for, or why it was not done.
pub(super) type Answer<T> = Result<T, String>;

#[derive(Serialize)]
struct Done<'a, T: Serialize> {
    ok: &'a T,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
}

#[derive(Deserialize)]
struct Either<T: Deserialize> {
    ok: Option<T>,
    error: Option<String>,
}

/// An answer as a line.
pub(super) fn write_answer<T: Serialize>(answer: &Answer<T>) -> String {
    let line = match answer {
        Ok(done) => json::to_string(&Done { ok: done }),
        Err(error) => json::to_string(&Failed { error }),
    };
    line + "\n"
}

/// The answer in `line`, if it is one.
pub(super) fn read_answer<T: Deserialize>(line: &str) -> Option<Answer<T>> {
    let either: Either<T> = json::from_str(line).ok()?;
    match either {
        Either {
            error: Some(error), ..
        } => Some(Err(error)),
        Either { ok, .. } => ok.map(Ok),
    }
}

/// What a plug answers.
#[derive(Serialize, Deserialize)]
pub(super) struct Plugged {
    pub device: String,
}

/// What is done and needs no word.
#[derive(Serialize, Deserialize)]
pub(super) struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Option<String> {
        Some("left \"one\"".to_owned())
    }

    #[test]
    fn requests_come_back_as_they_were() {
        let plug = PlugOptions {
            kind: DeviceKind::Vulkan,
            name: name(),
            arguments: vec!["--device".to_owned(), "1".to_owned()],
        };
        let device = name().unwrap();
        let asks = [
            Ask::Status,
            Ask::Plug(plug),
            Ask::Plug(PlugOptions::default()),
            Ask::Unplug { device: name() },
            Ask::Unplug { device: None },
            Ask::Kill { device },
        ];
        for ask in asks {
            assert_eq!(Ask::read(&ask.clone().write()), Some(ask));
        }
    }

    #[test]
    fn requests_by_hand_may_leave_out_what_has_a_default() {
        let plug = Ask::Plug(PlugOptions::default());
        assert_eq!(Ask::read(r#"{"do":"plug"}"#), Some(plug));
        assert_eq!(Ask::read(r#"{"do":"kill"}"#), None);
        assert_eq!(Ask::read(r#"{"do":"plug","kind":"abacus"}"#), None);
    }
}
