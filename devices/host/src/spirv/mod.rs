//! The virtual ISA to SPIR-V 1.5 for Vulkan 1.2, by `rspirv`.
//!
//! Memory is reached by address (physical storage buffers), so that a module binds nothing: its argument
//! block comes as push constants, or, where it is too long, they hold the block's address.

mod control;
mod hidden;
mod memory;
mod module;
mod target;

use std::collections::HashSet;

use hotsled_ir::{Type, UnOp, Valid};
use rspirv::binary::Assemble as _;

use crate::args::Layout;
use crate::cannot::Cannot;
pub use crate::emit::{Plain, Replaced};
use module::Spirv;

/// Changes whenever the same module becomes other words.
pub(crate) const VERSION: u32 = 6;
/// Invocations of a work group; every Vulkan device runs as many.
pub const GROUP: u32 = 64;
/// Bytes of push constants that every Vulkan device has.
pub(crate) const PUSH_BYTES: usize = 128;

/// What a device offers beyond what every device has that is driven at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Features {
    /// `shaderFloat64`.
    pub float64: bool,
    /// `storageBuffer8BitAccess`; without it bytes are reached through their words.
    pub storage8: bool,
    /// `storageBuffer16BitAccess`; without it halves are reached through their words.
    pub storage16: bool,
    /// `shaderBufferInt64Atomics`.
    pub atomics64: bool,
    /// The driver folds arithmetic with constants, or of a value with itself, as if infinities, NaN and
    /// the sign of zeros did not matter: operands are hidden from it.
    pub folds: bool,
    /// The driver ends loops that run long, and goes on behind them: such a loop is made to fault.
    pub cuts: bool,
    /// What the device is not asked for, because it was found to be inexact.
    pub replaced: Replaced,
    /// What can be asked of `f32`.
    pub controls32: Controls,
    /// What can be asked of `f64`.
    pub controls64: Controls,
}

/// Float controls of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Controls {
    /// Subnormal numbers are kept.
    pub denormals: bool,
    /// Zeros keep their sign, and infinity and NaN their meaning.
    pub specials: bool,
    /// Rounds to nearest, ties to even.
    pub nearest: bool,
}

impl Features {
    /// All of them; what a discrete GPU of today has, and what is shown by default.
    pub const ALL: Self = Self {
        float64: true,
        storage8: true,
        storage16: true,
        atomics64: true,
        folds: false,
        cuts: false,
        replaced: Replaced::NONE,
        controls32: Controls {
            denormals: true,
            specials: true,
            nearest: true,
        },
        controls64: Controls {
            denormals: true,
            specials: true,
            nearest: true,
        },
    };
}

impl Features {
    /// Without what a device may lack or compute inexactly.
    pub(crate) fn plain(self) -> Self {
        let replaced = Replaced {
            compare: true,
            widen: self.float64,
            sqrt: self.float64,
            mul_add: self.float64,
            divide: true,
        };
        Self {
            storage8: false,
            storage16: false,
            replaced,
            ..self
        }
    }

    /// Replaces from now on what can be replaced of these operations; whether there was one.
    pub(crate) fn replace(&mut self, inexact: &[Plain]) -> bool {
        let before = self.replaced;
        let replaced = &mut self.replaced;
        replaced.compare |= inexact.contains(&Plain::Compare(Type::F32));
        replaced.widen |= inexact.contains(&Plain::Convert(Type::F32, Type::F64));
        replaced.sqrt |= self.float64 && inexact.contains(&Plain::Unary(UnOp::Sqrt, Type::F32));
        replaced.mul_add |= self.float64 && inexact.contains(&Plain::MulAdd(Type::F32));
        *replaced != before
    }
}

/// Whether the argument block is too long for push constants.
pub(crate) fn buffered(layout: &Layout) -> bool {
    layout.words() * 8 > PUSH_BYTES
}

/// A lowered module.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// The SPIR-V module.
    pub words: Vec<u32>,
    /// Float operations that it leaves to the device.
    pub floats: HashSet<Plain>,
}

/// Lowers a module.
///
/// # Errors
/// What a device with these features cannot.
pub fn lower(module: &Valid, features: &Features) -> Result<Lowered, Cannot> {
    let (built, floats) = build(module, features)?;
    Ok(Lowered {
        words: built.assemble(),
        floats,
    })
}

/// The lowered module as text.
///
/// # Errors
/// As [`lower`].
pub fn text(module: &Valid, features: &Features) -> Result<String, Cannot> {
    use rspirv::binary::Disassemble as _;
    Ok(build(module, features)?.0.disassemble() + "\n")
}

fn build(
    module: &Valid,
    features: &Features,
) -> Result<(rspirv::dr::Module, HashSet<Plain>), Cannot> {
    let mut target = Spirv::new(module, features);
    crate::emit::emit(module, &mut target)?;
    let floats = std::mem::take(&mut target.floats);
    Ok((target.finish()?, floats))
}
