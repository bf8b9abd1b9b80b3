//! Benchmarks: call, switch, cpu. Every ratio compares two ways in one run, turn about.

pub mod call;
pub mod cpu;
pub mod row;
pub mod switch;
pub mod written;
