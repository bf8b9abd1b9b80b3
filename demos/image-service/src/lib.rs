//! A photograph filter service whose loops move to an accelerator and back.
#![forbid(unsafe_code)]

mod accelerator;
mod app;
mod apply;
mod events;
pub mod filter;
mod filtering;
mod gate;
mod live;
mod meter;
mod options;
pub mod picture;
pub mod reference;
mod refusal;
mod routes;
pub mod sections;
pub mod service;
mod view;

pub use accelerator::{Accelerator, Control, Devices, EngineView};
pub use events::{Entry, Kind};
pub use filter::Filter;
pub use meter::Counts;
pub use picture::Picture;
pub use refusal::Refusal;
pub use routes::SAMPLE;
pub use service::{Config, Service};
pub use view::SectionView;
