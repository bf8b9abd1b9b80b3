//! A photograph filter service whose loops move to an accelerator and back.
#![forbid(unsafe_code)]

mod apply;
pub mod filter;
mod options;
pub mod picture;
pub mod reference;
mod refusal;
pub mod sections;
mod sequential;

pub use filter::Filter;
pub use picture::Picture;
pub use refusal::Refusal;
