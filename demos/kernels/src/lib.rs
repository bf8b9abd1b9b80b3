//! Well-known kernels as sections: each beside the same loop in plain rayon, with an answer known beforehand.
#![forbid(unsafe_code)]

mod data;
mod kernel;
mod known;
mod measure;
mod storm;
mod suite;
mod table;
mod target;
mod values;

pub use kernel::{Entry, Kernel};
pub use measure::{Row, measure};
pub use storm::{StormRow, storm};
pub use suite::{ALL, find};
pub use table::{rows_table, storm_table, suite_table};
pub use target::{DEVICE_HOST, Setup, Target, engine};
pub use values::Values;
