//! A kernel image → version and architecture (`Documentation/arch/x86/boot.rst`), and its configuration.
