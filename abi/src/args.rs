//! What an entry is called with.

/// The one signature of every entry, body and trampoline.
///
/// `start..end` is the grain; `args` stays valid until the call returns.
pub type EntryFn = unsafe extern "C-unwind" fn(args: *const ArgBlock, start: u64, end: u64);

/// Head of a call's arguments; `len` slots follow at `slots`.
///
/// `call` belongs to the runtime (the shared cursor and all else of the running call); it is null
/// when the call runs inline as one grain.
#[repr(C)]
#[derive(Debug)]
pub struct ArgBlock {
    /// The runtime's state of this call, or null.
    pub call: *const (),
    /// First of `len` slots, in parameter order.
    pub slots: *const ArgSlot,
    /// Number of slots.
    pub len: u64,
}

/// One parameter: the bits of a scalar, or pointer and element count of a slice.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgSlot {
    /// Scalar bits (zero-extended, `bool` as 0 or 1), or the address of the first element.
    pub word: u64,
    /// Elements of a slice; 0 for a scalar.
    pub len: u64,
}

impl ArgSlot {
    /// A scalar parameter from its bits.
    pub const fn scalar(bits: u64) -> Self {
        Self { word: bits, len: 0 }
    }
}
