//! A machine → a running QEMU, its monitor, console and agent channel; gone with its parent, without a trace.
