//! Kernels as sections on the Vulkan device host, beside the same kernels written by hand in WGSL for `wgpu`: one
//! process, one device, the same data, turn about. A crate of its own, so that nothing else builds `wgpu`.

mod data;
mod measure;
mod ours;
mod peer;
mod problem;
mod row;
mod side;
mod suite;

pub use measure::{Effort, measure};
pub use ours::Ours;
pub use peer::Peer;
pub use row::{Row, Scheme, table};
pub use suite::ALL;
