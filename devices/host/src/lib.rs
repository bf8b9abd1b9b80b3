//! The device host program: lowers the virtual ISA and runs it on one device.
