//! The only door to Linux: mappings, /proc/self/mem, signals, membarrier, sockets, memfd.
