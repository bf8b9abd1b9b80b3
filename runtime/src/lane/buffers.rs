//! Device memory kept for the next chunk, by size class.

use std::collections::HashMap;

use hotsled_link::{DevicePtr, LinkError, Queue};

/// A buffer of a lane; give it back with [`Buffers::put`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    pub ptr: DevicePtr,
    class: u64,
}

/// Free buffers by class (a power of two of bytes).
#[derive(Default)]
pub(super) struct Buffers {
    free: HashMap<u64, Vec<Buffer>>,
}

impl Buffers {
    /// A buffer of at least `bytes`. When the device is full, what is kept is given back first.
    pub(super) fn get(&mut self, queue: &mut Queue, bytes: u64) -> Result<Buffer, LinkError> {
        let class = bytes.max(256).next_power_of_two();
        if let Some(buffer) = self.free.get_mut(&class).and_then(Vec::pop) {
            return Ok(buffer);
        }
        let ptr = match queue.alloc(class) {
            Err(LinkError::DeviceFull { .. }) => {
                self.clear(queue)?;
                queue.alloc(class)?
            }
            other => other?,
        };
        Ok(Buffer { ptr, class })
    }

    pub(super) fn put(&mut self, buffer: Buffer) {
        self.free.entry(buffer.class).or_default().push(buffer);
    }

    fn clear(&mut self, queue: &mut Queue) -> Result<(), LinkError> {
        self.free
            .drain()
            .flat_map(|(_, buffers)| buffers)
            .try_for_each(|buffer| queue.free(buffer.ptr))
    }
}
