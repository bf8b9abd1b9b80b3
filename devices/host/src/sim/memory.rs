//! The accelerator's memory: private, finite, addressed from a base that no host uses.

use std::collections::BTreeMap;
use std::io;

use hotsled_sys::map::Mapping;
use hotsled_sys::page::PageLen;

/// First device address; as a host address it would fault at once (it is not canonical).
const BASE: u64 = 0x00d0_0000_0000_0000;
const ALIGN: u64 = 256;
/// What fresh allocations hold, so that reading what was never written shows.
const POISON: u8 = 0xa5;

/// An arena with a first-fit allocator.
pub(crate) struct Memory {
    mapping: Mapping,
    capacity: u64,
    /// Offset to length of what is in use.
    used: BTreeMap<u64, u64>,
}

impl Memory {
    pub(crate) fn new(capacity: u64) -> io::Result<Self> {
        let len = usize::try_from(capacity).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(Self {
            mapping: Mapping::anonymous(PageLen::holding(len))?,
            capacity,
            used: BTreeMap::new(),
        })
    }

    /// A device address, or `None` when no gap is large enough.
    pub(crate) fn alloc(&mut self, bytes: u64) -> Option<u64> {
        let bytes = bytes.max(1).checked_next_multiple_of(ALIGN)?;
        let offset = self.gap(bytes)?;
        self.used.insert(offset, bytes);
        // SAFETY: the range lies in the arena and was free.
        let start = unsafe { self.mapping.start().add(offset as usize) };
        // SAFETY: as above.
        unsafe { std::ptr::write_bytes(start, POISON, bytes.min(4096) as usize) };
        Some(BASE + offset)
    }

    fn gap(&self, bytes: u64) -> Option<u64> {
        let mut at = 0;
        for (&start, &len) in &self.used {
            if start - at >= bytes {
                return Some(at);
            }
            at = start + len;
        }
        (self.capacity.checked_sub(at)? >= bytes).then_some(at)
    }

    /// Gives an allocation back; false if there is none at this address.
    pub(crate) fn free(&mut self, address: u64) -> bool {
        address
            .checked_sub(BASE)
            .is_some_and(|offset| self.used.remove(&offset).is_some())
    }

    /// Host address of `address..address + bytes`, if that lies within one allocation.
    pub(crate) fn host(&self, address: u64, bytes: u64) -> Option<*mut u8> {
        let offset = address.checked_sub(BASE)?;
        let (&start, &len) = self.used.range(..=offset).next_back()?;
        let end = offset.checked_add(bytes)?;
        if end > start + len {
            return None;
        }
        // SAFETY: offset lies within an allocation, which lies in the arena.
        Some(unsafe { self.mapping.start().add(offset as usize) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_finite_and_reused() {
        let mut memory = Memory::new(4096).unwrap();
        let a = memory.alloc(2048).unwrap();
        let b = memory.alloc(2000).unwrap();
        assert_eq!((memory.alloc(1), a >= BASE, b - a), (None, true, 2048));
        assert!(memory.free(a) && !memory.free(a) && !memory.free(7));
        assert_eq!(memory.alloc(100), Some(a));
    }

    #[test]
    fn ranges_outside_an_allocation_have_no_host_address() {
        let mut memory = Memory::new(1 << 16).unwrap();
        let a = memory.alloc(512).unwrap();
        assert!(memory.host(a, 512).is_some() && memory.host(a + 256, 256).is_some());
        assert!(memory.host(a, 513).is_none() && memory.host(a + 512, 1).is_none());
        assert!(memory.host(0x7fff_0000, 1).is_none() && memory.host(u64::MAX, 2).is_none());
    }
}
