//! The device host: one process that owns one device and serves it over a link.
//!
//! [`serve`] is the protocol loop and knows no device; a device is a [`backend::Backend`]; [`sim`] is the
//! simulated accelerator. The service itself links none of this.

mod args;
pub mod backend;
#[cfg(any(feature = "cuda", feature = "vulkan"))]
pub mod cache;
mod cannot;
mod cli;
mod commands;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(any(feature = "cuda", feature = "vulkan"))]
mod driven;
mod emit;
#[cfg(any(feature = "cuda", feature = "vulkan"))]
pub mod exact;
mod faults;
mod launch;
pub mod ptx;
pub mod serve;
pub mod sim;
#[cfg(feature = "vulkan")]
pub mod spirv;
#[cfg(feature = "vulkan")]
pub mod vulkan;

pub use cannot::Cannot;
pub use cli::main_from;
