//! An initrd file → segments, inventory and module trees (`Documentation/driver-api/early-userspace/buffer-format.rst`).
