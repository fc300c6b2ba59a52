//! What no boot decides, or only in one direction, and why.

/// Checks that no proof decides.
pub const UNDECIDED: &[(&str, &str)] = &[
    ("fstab-uuid", "what is mounted by its label is mounted as well"),
    ("fstab-discard", "it lists; trim-frees-blocks shows what comes of it"),
    ("watchdog-installed", "watchdog-fires shows that something feeds the watchdog, whatever package it is of"),
    ("watchdog-single-owner", "the first feeds all the same; watchdog-fires tells who that is"),
    ("irqbalance-enabled", "what it does shows under load, on more processors and for longer than a proof takes"),
    ("growpart-available", "the disk of the proof is no larger than the image"),
    ("password-unset", "that nobody knows a password is not seen by logging in"),
    ("image-format-safe", "it is a matter of the file: QEMU is only given what it holds of"),
    ("virtual-size-sane", "it is a matter of the file: it costs room, and boots"),
];

/// Checks that may fail though every proof that decides them is proved: a proof looks at one start.
pub(super) const ONE_WAY: &[(&str, &str)] = &[
    ("boot-entry-resolves", "the other firmware may find nothing"),
    ("initrd-module-closure", "what is missing may be of the other bus, or of the network"),
    ("module-not-blacklisted", "what is blacklisted may be of the other bus, or of the network"),
    ("cmdline-root-stable", "a device name may be right this time"),
    ("fstab-stable-ids", "a device name may be right this time"),
    ("fstab-targets-exist", "a row with nofail keeps nothing from starting"),
    ("cloud-init-datasource", "the config drive is found without OpenStack's metadata service, which is not here"),
    ("ssh-hostkeys-absent", "cloud-init may have replaced those of the image"),
    ("trim-enabled", "a file system beside the root may be left out"),
];

/// Whether a check that fails is contradicted by a proof that decides it.
pub(in crate::boot) fn is_two_way(check: &str) -> bool {
    !ONE_WAY.iter().any(|(id, _)| *id == check)
}
