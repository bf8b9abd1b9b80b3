//! Modules and hosts that the tests share.
#![allow(dead_code)] // each test uses a part

pub mod build;
pub mod generate;
pub mod host;
pub mod operators;
