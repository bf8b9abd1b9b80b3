//! Benchmarks: call, switch, cpu.
