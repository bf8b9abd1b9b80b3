//! The kernels, one file each.

mod bitonic;
mod black_scholes;
mod crc32;
mod dot;
mod floyd_warshall;
mod game_of_life;
mod gemm;
mod gemv;
mod heat_3d;
mod histogram;
mod jacobi_2d;
mod k_means;
mod lattice_boltzmann;
mod mandelbrot;
mod nbody;
mod saxpy;
mod sobel;
mod spmv_csr;

use crate::kernel::Entry;

/// Every kernel.
pub static ALL: &[Entry] = &[
    saxpy::ENTRY,
    dot::ENTRY,
    gemv::ENTRY,
    gemm::ENTRY,
    spmv_csr::ENTRY,
    jacobi_2d::ENTRY,
    heat_3d::ENTRY,
    nbody::ENTRY,
    mandelbrot::ENTRY,
    black_scholes::ENTRY,
    histogram::ENTRY,
    k_means::ENTRY,
    floyd_warshall::ENTRY,
    lattice_boltzmann::ENTRY,
    sobel::ENTRY,
    bitonic::ENTRY,
    crc32::ENTRY,
    game_of_life::ENTRY,
];

/// The kernel of that name, or all.
///
/// # Errors
/// No such kernel; the names are told.
pub fn find(name: &str) -> Result<Vec<&'static Entry>, String> {
    if name == "all" {
        return Ok(ALL.iter().collect());
    }
    let found = ALL.iter().find(|e| e.name == name);
    found.map(|e| vec![e]).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|e| e.name).collect();
        format!("no kernel {name}; there are: all, {}", names.join(", "))
    })
}
