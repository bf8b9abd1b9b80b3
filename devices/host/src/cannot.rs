//! Why a device keeps a section off itself.

/// A module is valid, but this device cannot run it; the section stays on the CPU there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cannot {
    /// A construct that this lowering does not have.
    #[error("this device cannot: {0}")]
    Construct(String),
    /// A construct that needs a feature which the device lacks.
    #[error("this device cannot: {what} (it has no {feature})")]
    Feature {
        /// The construct.
        what: String,
        /// What the device lacks.
        feature: &'static str,
    },
    /// An operation whose results on this device differ from the definition.
    #[error("this device cannot: {operation} exactly ({example}); --bounded accepts that")]
    Inexact {
        /// The operation.
        operation: String,
        /// Where it differed.
        example: String,
    },
}

impl Cannot {
    /// A construct, named by its debug form.
    pub(crate) fn construct(what: &dyn std::fmt::Debug) -> Self {
        Self::Construct(format!("{what:?}"))
    }
}
