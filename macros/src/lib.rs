//! Attribute macros of hotsled.
