//! Why there is no CUDA device to serve.

use std::fmt;

use crate::cannot::Cannot;

/// A result of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Its number.
    pub number: i32,
    /// Its name, if the driver knows one.
    pub name: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.number)
    }
}

/// A device that cannot be found, opened or trusted.
#[derive(Debug, thiserror::Error)]
pub enum CudaError {
    /// No driver on this machine.
    #[error("no CUDA driver ({0}); it comes with NVIDIA's GPU driver")]
    NoDriver(String),
    /// A driver from before a call that is needed.
    #[error("the CUDA driver is too old: it has no {0}")]
    Old(&'static str),
    /// No device of this number.
    #[error("there is no CUDA device {number}; {count} were found (hotsled-device cuda --list)")]
    NoDevice {
        /// The number asked for.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// A device that cannot be driven.
    #[error("{name} cannot be driven: {reason}")]
    Unfit {
        /// Its name.
        name: String,
        /// What it lacks.
        reason: String,
    },
    /// A call failed.
    #[error("{step}: {code}")]
    Call {
        /// What was being done.
        step: &'static str,
        /// What the driver said.
        code: Code,
    },
    /// The driver refuses what was lowered.
    #[error("assembling: {code}: {log}")]
    Assembly {
        /// What the driver said.
        code: Code,
        /// Its assembler's words.
        log: String,
    },
    /// A module that cannot be lowered, or is not exact.
    #[error(transparent)]
    Cannot(#[from] Cannot),
    /// The device was opened and does not work.
    #[error("the device does not work: {0}")]
    Broken(#[from] Lost),
}

/// The device is of no use any more; nothing in its memory counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The driver says so.
    #[error("the driver reports {0}")]
    Driver(Code),
    /// Work did not end. It still runs: memory and objects that it may use are never given back.
    #[error("work did not end within {0} ms; the device is quarantined")]
    Hung(u64),
    /// It was lost or quarantined before.
    #[error("the device was lost before")]
    Before,
    /// What was written did not come back.
    #[error("its memory does not hold what is written")]
    Memory,
    /// For tests.
    #[error("its loss was injected")]
    Injected,
}
