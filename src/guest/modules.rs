//! Kernel modules: names, `.modinfo`, modules.dep and modules.builtin (`man 5 modules.dep`).
