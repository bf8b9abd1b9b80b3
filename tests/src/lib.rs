//! Whole-system tests, one process per file.
