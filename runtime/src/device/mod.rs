//! Devices from plug to gone: one thread owns them all. `README.md` beside this file has the states.

mod coming;
mod going;
mod manager;
mod presence;
mod spawn;
mod state;

pub(crate) use manager::{DEFAULT_WAIT, Handle, Manager, Request, SIGNAL_PLUG, SIGNAL_UNPLUG};
pub use state::State;
