//! The keys of a recipe, each with what it means and what it takes.

use super::rule;
use super::shape::{Key, Shape};
use crate::build::distribution::DISTRIBUTIONS;
use crate::manifest::policy::FIELDS;
use crate::verdict::feature::{self, FEATURES};
use crate::verdict::profile::PROFILES;
use crate::verdict::property::{ACTIONS, PROPERTIES, Set};

/// Every key of the top level, in the order in which a recipe is read best.
pub const KEYS: &[Key] = &[
    must("schema", "what this file is: \"bootworthy.recipe/1\"", Shape::Text(&rule::SCHEMA)),
    must("name", "the image's name: the lock is NAME.lock", Shape::Text(&rule::NAME)),
    may("description", "one line for people", Shape::Text(&rule::LINE)),
    may(
        "features",
        "what the image promises; each brings its packages, modules, files and units, and is checked",
        Shape::List(&Shape::Word(features)),
    ),
    must("distribution", "where the packages come from", Shape::Table(DISTRIBUTION)),
    may("engine", "what makes the root tree; the distribution's own engine otherwise", Shape::Table(ENGINE)),
    may("packages", "what is installed", Shape::Table(PACKAGES)),
    must("boot", "how the image starts", Shape::Table(BOOT)),
    must("disk", "what it stands on", Shape::Table(DISK)),
    may(
        "user",
        "an account that the image brings along; cloud-init's default user needs none",
        Shape::List(&Shape::Table(USER)),
    ),
    may("ssh", "sshd's rules; what is not said stays as the distribution has it", Shape::Table(SSH)),
    may("file", "a file that is written once the packages are installed", Shape::List(&Shape::Table(FILE))),
    may(
        "command",
        "a script that runs in the tree, after packages, files and users; the lists of packages are gone by then",
        Shape::List(&Shape::Table(COMMAND)),
    ),
    may("units", "units (services of OpenRC) besides those of the features", Shape::Table(UNITS)),
    may("modules", "kernel modules besides those of the features", Shape::Table(MODULES)),
    may(
        "cloud_init",
        "cloud-init's configuration; what is not said stays as the distribution has it",
        Shape::Table(CLOUD_INIT),
    ),
    may("properties", "the Glance properties of the manifest", Shape::Table(PROPERTIES_OF_IMAGE)),
    may("policy", "what no image shows and its publisher must say (SCS-0102)", Shape::Values(promises)),
    may("check", "how the image is judged before it is handed out", Shape::Table(CHECK)),
];

const DISTRIBUTION: &[Key] = &[
    must("id", "ID of os-release", Shape::Word(distributions)),
    must("suite", "Debian's suite, a release number elsewhere", Shape::Text(&rule::SUITE)),
    must("architecture", "of the image", Shape::Word(|| vec!["x86_64", "aarch64"])),
    may(
        "mirror",
        "one address or a list; the engine's own default otherwise",
        Shape::OneOrMany(&Shape::Text(&rule::MIRROR)),
    ),
    may("components", "areas of Debian's archive; main otherwise", Shape::List(&Shape::Text(&rule::COMPONENT))),
];

const ENGINE: &[Key] = &[
    must(
        "name",
        "mmdebstrap, dnf, zypper and apk install; tar and dir take a root tree that anything else made",
        Shape::Word(engines),
    ),
    may(
        "path",
        "the archive of tar (plain, gzip, xz or zstd) or the folder of dir, relative to the recipe",
        Shape::Text(&rule::SOURCE),
    ),
    may("variant", "mmdebstrap's --variant: how much is installed without being named", Shape::Word(variants)),
];

const PACKAGES: &[Key] = &[
    may(
        "kernel",
        "the kernel's package; the distribution's own for virtual machines otherwise",
        Shape::Text(&rule::PACKAGE),
    ),
    may(
        "insist",
        "that kernel and no other: a feature that it has no driver for is refused instead of another kernel being taken",
        Shape::Truth,
    ),
    may("install", "further packages; those of features come by themselves", Shape::List(&Shape::Text(&rule::PACKAGE))),
];

const BOOT: &[Key] = &[
    must("firmware", "bios, uefi, a list of both, or hybrid for both", Shape::OneOrMany(&Shape::Word(firmware))),
    may(
        "cmdline",
        "words of the kernel command line; root= comes by itself",
        Shape::List(&Shape::Text(&rule::WORD_OF_CMDLINE)),
    ),
    may("timeout", "seconds that the loader's menu waits, 1 otherwise", Shape::Number(0, 600)),
    may("serial", "baud of the loader's serial terminal, 115200 otherwise; 0 for none", Shape::Number(0, 4_000_000)),
];

const DISK: &[Key] = &[
    must("size", "virtual size, a multiple of 1 MiB", Shape::Text(&rule::SIZE)),
    may("format", "of the image, qcow2 otherwise", Shape::Word(|| vec!["qcow2", "raw"])),
    may(
        "compression",
        "of qcow2's clusters: zlib is read by every QEMU, zstd by 5.1 and later; none otherwise",
        Shape::Word(|| vec!["zlib", "zstd"]),
    ),
    may("table", "the partition table", Shape::Word(|| vec!["gpt"])),
    may(
        "trim",
        "how the feature discard is kept: by fstrim.timer (timer, the default) or at once by the mount option (mount)",
        Shape::Word(|| vec!["timer", "mount"]),
    ),
    may(
        "filesystem",
        "the root's file system, ext4 otherwise; without [[disk.partition]]",
        Shape::Word(|| vec!["ext4", "xfs", "btrfs"]),
    ),
    may("boot", "size of a /boot of its own; without [[disk.partition]]", Shape::Text(&rule::SIZE)),
    may(
        "esp",
        "size of the EFI system partition, 64 MiB otherwise; without [[disk.partition]]",
        Shape::Text(&rule::SIZE),
    ),
    may("partition", "the partitions one by one in disk order, the root last", Shape::List(&Shape::Table(PARTITION))),
];

const PARTITION: &[Key] = &[
    must("label", "its name in the table", Shape::Text(&rule::LABEL)),
    must("kind", "its type", Shape::Word(|| vec!["bios-boot", "esp", "boot", "root"])),
    may("number", "its number in the table; its place on the disk otherwise", Shape::Number(1, 128)),
    may("size", "a multiple of 1 MiB; what is left otherwise, which only the last may take", Shape::Text(&rule::SIZE)),
    may("filesystem", "what is made in it", Shape::Word(|| vec!["ext4", "xfs", "btrfs", "vfat"])),
    may("mount", "where it is mounted", Shape::Text(&rule::MOUNT)),
    may("options", "its mount options", Shape::List(&Shape::Text(&rule::OPTION))),
    may(
        "features",
        "for mke2fs -O, mkfs.xfs -i or -m, mkfs.btrfs -O",
        Shape::List(&Shape::Text(&rule::FEATURE_OF_MKFS)),
    ),
];

const USER: &[Key] = &[
    must("name", "login name", Shape::Text(&rule::ACCOUNT)),
    may("uid", "its number; the next free one otherwise", Shape::Number(1, 60_000)),
    may("groups", "groups besides its own", Shape::List(&Shape::Text(&rule::ACCOUNT))),
    may("shell", "login shell; the distribution's default otherwise", Shape::Text(&rule::PATH)),
    may("sudo", "it may become root without a password", Shape::Truth),
    may("password_hash", "a hash of crypt(5); the password is locked otherwise", Shape::Text(&rule::HASH)),
    may("ssh_keys", "public keys that may log in", Shape::List(&Shape::Text(&rule::KEY_OF_SSH))),
];

const SSH: &[Key] = &[
    may("password_authentication", "whether passwords are taken", Shape::Truth),
    may("root_login", "PermitRootLogin", Shape::Word(|| vec!["yes", "no", "prohibit-password"])),
];

const FILE: &[Key] = &[
    must("path", "where, in the image", Shape::Text(&rule::PATH)),
    may("mode", "permissions, \"0644\" otherwise", Shape::Text(&rule::MODE)),
    may("owner", "user:group, \"root:root\" otherwise", Shape::Text(&rule::OWNER)),
    may("text", "the whole of it", Shape::Text(&rule::TEXT)),
    may("source", "or the file that it is a copy of, relative to the recipe", Shape::Text(&rule::SOURCE)),
];

const COMMAND: &[Key] = &[
    must("run", "a script for sh -eu, with the tree as its /", Shape::Text(&rule::SCRIPT)),
    may("environment", "variables", Shape::Map(&rule::VARIABLE, &Shape::Text(&rule::LINE))),
];

const UNITS: &[Key] = &[
    may("enable", "switched on; one that is not there is an error", Shape::List(&Shape::Text(&rule::UNIT))),
    may("disable", "switched off", Shape::List(&Shape::Text(&rule::UNIT))),
    may("mask", "kept from ever starting", Shape::List(&Shape::Text(&rule::UNIT))),
];

const MODULES: &[Key] = &[
    may("initrd", "in every initrd", Shape::List(&Shape::Text(&rule::MODULE))),
    may("load", "loaded when the system starts", Shape::List(&Shape::Text(&rule::MODULE))),
    may("options", "lines of modprobe.d, as \"options kvm_intel nested=1\"", Shape::List(&Shape::Text(&rule::LINE))),
];

const CLOUD_INIT: &[Key] = &[
    may("datasources", "where it looks, in order", Shape::List(&Shape::Word(datasources))),
    may("default_user", "the user that gets the instance's key", Shape::Text(&rule::ACCOUNT)),
    may("disable_root", "whether root cannot log in with that key", Shape::Truth),
];

const PROPERTIES_OF_IMAGE: &[Key] = &[
    may("title", "name of the image in Glance; description, else name, otherwise", Shape::Text(&rule::LINE)),
    may("set", "which are looked at, recommended otherwise", Shape::Word(sets)),
    may("with", "KEY or KEY=VALUE that must be earned, or the build fails", Shape::List(&Shape::Text(&rule::WISH))),
    may("without", "keys that are left out", Shape::List(&Shape::Word(properties))),
    may("watchdog_action", "what the watchdog does, reset otherwise", Shape::Word(|| ACTIONS.to_vec())),
];

const CHECK: &[Key] = &[
    may(
        "profile",
        "whose features are demanded besides the recipe's; the recipe's alone otherwise",
        Shape::Word(profiles),
    ),
    may(
        "require",
        "features that are demanded besides, though the recipe does nothing for them",
        Shape::List(&Shape::Word(requirable)),
    ),
];

const fn must(name: &'static str, summary: &'static str, shape: Shape) -> Key {
    Key { name, summary, shape, is_required: true }
}

const fn may(name: &'static str, summary: &'static str, shape: Shape) -> Key {
    Key { name, summary, shape, is_required: false }
}

fn features() -> Vec<&'static str> {
    FEATURES.iter().map(|feature| feature.name).collect()
}

fn requirable() -> Vec<&'static str> {
    feature::requirable().map(|feature| feature.name).collect()
}

fn distributions() -> Vec<&'static str> {
    DISTRIBUTIONS.iter().map(|distribution| distribution.id).collect()
}

fn engines() -> Vec<&'static str> {
    vec!["mmdebstrap", "tar", "dir", "dnf", "zypper", "apk"]
}

/// `man 1 mmdebstrap`, VARIANTS: those that hold a package manager, which the stages need.
fn variants() -> Vec<&'static str> {
    vec!["apt", "minbase", "required", "buildd", "important", "standard"]
}

fn firmware() -> Vec<&'static str> {
    vec!["bios", "uefi", "hybrid"]
}

/// Of cloud-init's, those that an `OpenStack` instance can meet (`cloudinit/sources`).
fn datasources() -> Vec<&'static str> {
    vec!["ConfigDrive", "OpenStack", "NoCloud", "Ec2", "None"]
}

fn sets() -> Vec<&'static str> {
    Set::ALL.iter().map(|set| set.name()).collect()
}

/// Each key once: a bus has a row per value.
fn properties() -> Vec<&'static str> {
    let mut keys: Vec<&str> = Vec::new();
    for property in PROPERTIES {
        if !keys.contains(&property.key) {
            keys.push(property.key);
        }
    }
    keys
}

fn profiles() -> Vec<&'static str> {
    PROFILES.iter().map(|profile| profile.name).collect()
}

fn promises() -> Vec<(&'static str, &'static str)> {
    FIELDS.iter().map(|field| (field.key, field.summary)).collect()
}
