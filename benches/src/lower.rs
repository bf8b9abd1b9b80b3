//! What each section's virtual ISA weighs, and how long each lowering of it takes.

use std::time::{Duration, Instant};

use hotsled_device::sim::{self, Model};
use hotsled_device::{ptx, spirv};
use hotsled_ir::Valid;

use crate::progress::Progress;
use crate::row::{Lower, Row};

/// Times each lowering is done; the least counts.
const TIMES: usize = 7;

/// Lowers every section that this program carries: those of the kernel suite and of the image service.
///
/// # Panics
/// When this program cannot be read.
pub fn run() -> Vec<Row> {
    // A call that is never made, so that the suite is linked in.
    std::hint::black_box(kernels::ALL);
    let own = std::env::current_exe().expect("this program has a path");
    let report = hotsled_cli::inspect::file(&own).expect("this program is an ELF file");
    let mut progress = Progress::new("lower", report.sections.len());
    let row = |section: hotsled_cli::inspect::Section| {
        progress.step(&section.path);
        let module = hotsled_ir::read(&section.module).expect("the inspector has validated it");
        Row::Lower(Lower {
            isa_bytes: section.isa_bytes,
            cranelift_us: least(|| simulated(&module)),
            spirv_us: least(|| spirv::lower(&module, &spirv::Features::ALL).map(drop)),
            ptx_us: least(|| ptx::lower(&module, ptx::BASE_ARCHITECTURE).map(drop)),
            section: section.path,
        })
    };
    report.sections.into_iter().map(row).collect()
}

/// Machine code, as the simulated accelerator has it made.
fn simulated(module: &Valid) -> Result<(), String> {
    let model = Model {
        memory: 1 << 20,
        bandwidth: 0,
        latency: Duration::ZERO,
    };
    let mut device = sim::device("sim", model).map_err(|e| e.to_string())?;
    device.lowering.lower(module).map(drop)
}

/// Microseconds, or none where the target cannot.
fn least<E>(lower: impl Fn() -> Result<(), E>) -> Option<f64> {
    let once = |_| {
        let began = Instant::now();
        lower().ok()?;
        Some(began.elapsed().as_secs_f64() * 1e6)
    };
    let all = (0..TIMES).map(once).collect::<Option<Vec<f64>>>()?;
    all.into_iter().min_by(f64::total_cmp)
}
