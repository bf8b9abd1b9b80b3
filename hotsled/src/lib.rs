//! Live code patching for hotplug-reactive services.
//!
//! Mark a parallel loop with [`section`], start an [`Engine`], and the loop moves to an accelerator
//! when one is plugged in and back when it goes, while threads run it.
//!
//! This crate holds no code: the engine and the macros stand in crates of their own, so that cargo builds
//! the one beside the other.
#![forbid(unsafe_code)]

pub use hotsled_macros::{device_data, device_fn, section};
#[doc(inline)]
pub use hotsled_runtime::*;
