//! The protocol between a service and a device host, and both its ends.
