//! Benchmarks: call, switch, stall, cpu, lower, kernels, compile. What is compared is measured in one run, turn about.

pub mod call;
pub mod callgrind;
pub mod cell;
pub mod compile;
pub mod cpu;
pub mod kernels;
pub mod load;
pub mod lower;
pub mod own;
pub mod progress;
pub mod row;
pub mod scheme;
pub mod stall;
pub mod switch;
pub mod tsc;
pub mod written;
pub mod xray;
