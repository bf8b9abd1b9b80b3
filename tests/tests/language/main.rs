//! Everything in the section language, bit for bit: CPU code, interpreter, simulated device.

mod accumulate;
mod agree;
mod control;
mod data;
mod grids;
mod math;
mod numbers;
mod parts;
mod reduce;
