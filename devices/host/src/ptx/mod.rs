//! The virtual ISA to PTX text, for NVIDIA's driver to assemble. Assembled in tests, and never run yet.

mod control;
mod register;
mod target;

use hotsled_ir::Valid;

use crate::args::Layout;
use crate::cannot::Cannot;
use target::Ptx;

/// Architecture that is shown by default; newer ones run its code.
pub const BASE_ARCHITECTURE: u32 = 80;

/// Lowers a module for an architecture (80: `sm_80`). Its entry is `section`; its one parameter is the
/// argument block.
///
/// # Errors
/// What such a device cannot.
pub fn lower(module: &Valid, architecture: u32) -> Result<String, Cannot> {
    let layout = Layout::of(module);
    let mut target = Ptx::new(&layout);
    crate::emit::emit(module, &mut target)?;
    Ok(target.finish(&layout, architecture))
}
