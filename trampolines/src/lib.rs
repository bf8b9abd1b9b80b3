//! Near, immortal, never-writable code blocks that patched sleds jump to.
