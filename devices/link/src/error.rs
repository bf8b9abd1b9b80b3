//! What can go wrong on a link.

use std::io;

/// Why a link is down for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownReason {
    /// The other end closed or died.
    Closed,
    /// The other end said goodbye.
    Goodbye,
    /// No answer by the deadline.
    Hung(&'static str),
    /// The other end sent what no correct one sends.
    Garbage(String),
    /// A chunk's result differed from the CPU's.
    Mismatch(String),
    /// We ended it.
    Ended,
}

impl std::fmt::Display for DownReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the device host is gone"),
            Self::Goodbye => f.write_str("the device host said goodbye"),
            Self::Hung(what) => write!(f, "no answer by the deadline ({what})"),
            Self::Garbage(what) => write!(f, "the device host sent garbage: {what}"),
            Self::Mismatch(what) => write!(f, "a result differed from the CPU's: {what}"),
            Self::Ended => f.write_str("the link was ended here"),
        }
    }
}

/// Why an operation on a link failed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The device cannot run this; the link is fine.
    #[error("the device refuses: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// The ends speak different protocols.
    #[error("the other end speaks protocol {theirs}, this one {ours}; use programs of one release")]
    Version {
        /// Their version.
        theirs: u16,
        /// Ours.
        ours: u16,
    },
    /// The link is down.
    #[error("link down: {0}")]
    Down(DownReason),
    /// No answer by the deadline.
    #[error("no answer by the deadline: {what}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
    },
    /// Something no correct end sends.
    #[error("garbage from the other end: {what}")]
    Garbage {
        /// What was wrong.
        what: String,
    },
    /// A command that cannot be expressed.
    #[error("this command does not fit: {what}")]
    Unfit {
        /// Why.
        what: &'static str,
    },
    /// The device's memory is full.
    #[error("the device has no {bytes} bytes left")]
    DeviceFull {
        /// Bytes asked for.
        bytes: u64,
    },
    /// The operating system failed us.
    #[error("{what}: {source}")]
    Os {
        /// The step.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl LinkError {
    pub(crate) fn os(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::TimedOut => Self::Timeout { what },
            io::ErrorKind::InvalidData => Self::Garbage {
                what: format!("{what}: {source}"),
            },
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                Self::Down(DownReason::Closed)
            }
            _ => Self::Os { what, source },
        }
    }

    pub(crate) fn garbage(what: impl Into<String>) -> Self {
        Self::Garbage { what: what.into() }
    }
}
