//! The protocol between a service and a device host, and both its ends.
//!
//! A control socket (`message`) carries the handshake, lowering and the farewell. A sealed file
//! shared by both carries two rings and staging memory (`shared`). `README.md` has the layout and
//! the argument why neither side can be made to misbehave by the other.

mod client;
mod command;
mod error;
mod message;
mod queue;
mod server;
mod shared;

pub use client::{Client, ClientOptions, ControlEvent, Health, Lowered};
pub use command::{Command, DevicePtr, Fence, Launch, LaunchArg, MAX_ARGS};
pub use error::{DownReason, LinkError};
pub use message::{DeviceInfo, Message, ModuleId, PROTOCOL_VERSION};
pub use queue::{Block, Outcome, Queue};
pub use server::{Completion, Control, Server, ServerOptions, Work};
pub use shared::StagingSpan;
