//! Live code patching for hotplug-reactive services: parallel loops that move to accelerators and back.
