//! A photograph filter service whose loops move to an accelerator and back.
#![forbid(unsafe_code)]

mod accelerator;
mod app;
mod apply;
pub mod filter;
mod filtering;
mod gate;
mod journal;
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

pub use accelerator::{Accelerator, Devices, EngineView};
pub use filter::Filter;
pub use journal::{Entry, Kind};
pub use meter::Counts;
pub use picture::Picture;
pub use refusal::Refusal;
pub use routes::SAMPLE;
pub use service::{Config, Service};
pub use view::SectionView;
