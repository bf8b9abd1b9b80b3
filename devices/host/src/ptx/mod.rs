//! The virtual ISA to PTX text, for NVIDIA's driver to assemble.

mod control;
mod register;
mod target;

use std::collections::HashSet;

use hotsled_ir::Valid;

use crate::args::Layout;
use crate::cannot::Cannot;
use crate::emit::Plain;
use target::Ptx;

/// Architecture that is shown by default; newer ones run its code.
pub const BASE_ARCHITECTURE: u32 = 80;

/// A lowered module.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// The PTX text.
    pub text: String,
    /// Float operations that it leaves to the device.
    pub floats: HashSet<Plain>,
}

/// Lowers a module for an architecture (80: `sm_80`). Its entry is `section`; its one parameter is the
/// argument block.
///
/// # Errors
/// What such a device cannot.
pub fn lower(module: &Valid, architecture: u32) -> Result<Lowered, Cannot> {
    let layout = Layout::of(module);
    let mut target = Ptx::new(&layout);
    crate::emit::emit(module, &mut target)?;
    let floats = std::mem::take(&mut target.floats);
    let text = target.finish(&layout, architecture);
    Ok(Lowered { text, floats })
}
