//! os-release → distribution (`man 5 os-release`).
