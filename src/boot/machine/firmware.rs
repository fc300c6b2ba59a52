//! UEFI on this host: OVMF's code and variables.
