//! Rewrites sleds in live code under running threads.
