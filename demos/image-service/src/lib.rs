//! A photograph filter service whose loops move to an accelerator and back.
