//! The device host: one process that owns one device and serves it over a link.
//!
//! [`serve`] is the protocol loop and knows no device; a device is a [`backend::Backend`]; [`sim`] is the
//! simulated accelerator. The service itself links none of this.

pub mod backend;
mod cli;
mod faults;
pub mod serve;
pub mod sim;

pub use cli::main_from;
