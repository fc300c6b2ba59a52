//! fstab → mounts (`man 5 fstab`), read as libmount reads it.
