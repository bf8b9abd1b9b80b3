//! What a device must offer; every device passes the same conformance suite.

use hotsled_ir::Valid;
use hotsled_link::{DeviceInfo, DevicePtr, Launch};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As asked.
    Done,
    /// A launch met a fault (an index out of bounds, a division by zero).
    Faulted,
    /// The command asked for what is not there.
    Failed,
    /// The device is of no use any more. Never told to an engine: the link ends instead.
    Lost,
}

/// Turns modules into device code; used by the control thread.
pub trait Lowering: Send {
    /// Lowers a module and returns its number.
    ///
    /// # Errors
    /// Why this device cannot run it, for people.
    fn lower(&mut self, module: &Valid) -> Result<u32, String>;
}

/// Memory and execution; used by the data thread, one command at a time, in order.
pub trait Backend: Send {
    /// Device memory, or `None` when it is full.
    fn alloc(&mut self, bytes: u64) -> Option<DevicePtr>;

    /// Gives memory back; [`Status::Failed`] for what was not allocated.
    fn free(&mut self, ptr: DevicePtr) -> Status;

    /// Copies into device memory.
    ///
    /// # Safety
    /// `src..src + bytes` is readable; another process may write it meanwhile.
    unsafe fn copy_in(&mut self, ptr: DevicePtr, src: *const u8, bytes: u64) -> Status;

    /// Copies out of device memory.
    ///
    /// # Safety
    /// `dst..dst + bytes` is writable; another process may access it meanwhile.
    unsafe fn copy_out(&mut self, ptr: DevicePtr, dst: *mut u8, bytes: u64) -> Status;

    /// Runs a lowered module.
    fn launch(&mut self, launch: &Launch) -> Status;

    /// Has the driver report the device as lost from the next command on; for tests. A device without a
    /// driver has nothing that could.
    fn lose(&mut self) {}
}

/// A device ready to serve: what it says of itself and its two halves.
pub struct Device {
    /// For the greeting.
    pub info: DeviceInfo,
    /// The control half.
    pub lowering: Box<dyn Lowering>,
    /// The data half.
    pub backend: Box<dyn Backend>,
}
