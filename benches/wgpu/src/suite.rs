//! The kernels, each in WGSL and as a plain loop. Their sections are those of the crate `kernels`, but for `gemm`, which is
//! tiled there.

mod gemm;
mod jacobi_2d;
mod mandelbrot;
mod nbody;
mod saxpy;

use crate::problem::Problem;

/// A kernel's line in the suite.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Size to measure.
    pub size: usize,
    /// Size for tests.
    pub small: usize,
    pub(crate) problem: fn(usize) -> Problem,
}

/// Every kernel.
pub static ALL: &[Entry] = &[
    saxpy::ENTRY,
    jacobi_2d::ENTRY,
    gemm::ENTRY,
    mandelbrot::ENTRY,
    nbody::ENTRY,
];
