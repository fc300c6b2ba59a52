//! Recipes that are refused, each with its line and its reason.

use super::*;
use crate::limits::GIB;

const DEBIAN: &str = include_str!("../../../recipes/debian-13.toml");
const SMALL: &str = r#"schema = "bootworthy.recipe/1"
name = "small"
[distribution]
id = "debian"
suite = "trixie"
architecture = "x86_64"
[boot]
firmware = "hybrid"
[disk]
size = "4 GiB"
"#;

#[test]
fn the_shipped_recipe_is_valid() {
    let recipe = Recipe::parse("debian-13.toml", DEBIAN).unwrap();
    assert_eq!((recipe.name.as_str(), recipe.disk.size), ("debian-13", 4 * GIB));
}

#[test]
fn a_few_words_make_a_disk() {
    let recipe = Recipe::parse("small.toml", SMALL).unwrap();
    let parts = recipe.disk.partitions(&recipe.boot.firmware);
    let labels: Vec<&str> = parts.iter().map(|part| part.label.as_str()).collect();
    assert_eq!(labels, ["bios", "esp", "root"]);
    let text = SMALL.replace("hybrid", "uefi") + "filesystem = \"xfs\"\nboot = \"512 MiB\"\n";
    let recipe = Recipe::parse("small.toml", &text).unwrap();
    let parts = recipe.disk.partitions(&recipe.boot.firmware);
    let labels: Vec<&str> = parts.iter().map(|part| part.label.as_str()).collect();
    assert_eq!(labels, ["esp", "boot", "root"]);
}

/// (what is replaced in the Debian recipe, by what, what the error says).
const BAD: &[(&str, &str, &str)] = &[
    ("bootworthy.recipe/1", "bootworthy.recipe/9", ":2: schema: found the text"),
    ("schema = \"bootworthy.recipe/1\"", "", "schema is missing"),
    ("name = \"debian-13\"", "name = \"../x\"", ":3: name: found the text"),
    ("name = \"debian-13\"", "name = 13", ":3: name: found the number 13"),
    ("name = \"debian-13\"", "nome = \"debian-13\"", "there is no key \"nome\"; did you mean name?"),
    ("name = \"debian-13\"", "name = \"debian-13\"\nname = \"x\"", "this is not TOML"),
    ("name = \"debian-13\"", "name = ", ":3: this is not TOML"),
    ("\"watchdog\"", "\"watchdoge\"", "features: \"watchdoge\" is none of"),
    ("\"watchdog\"", "3", ":7: features: found the number 3, expected a text in quotes"),
    ("id = \"debian\"", "id = \"debain\"", "did you mean debian?"),
    ("id = \"debian\"", "", "distribution.id is missing: ID of os-release"),
    ("suite = \"trixie\"", "suite = \"-x\"", "distribution.suite: found the text"),
    ("\"x86_64\"", "\"vax\"", "\"vax\" is none of x86_64, aarch64"),
    (
        "suite = \"trixie\"",
        "suite = \"trixie\"\nmirror = \"ftp://x\"",
        "distribution.mirror: found the text \"ftp://x\"",
    ),
    ("suite = \"trixie\"", "suite = \"trixie\"\nmirror = [\"http://a b\"]", "distribution.mirror: found the text"),
    ("[packages]", "[engine]\nname = \"debootstrap\"\n[packages]", "\"debootstrap\" is none of mmdebstrap"),
    ("[packages]", "[engine]\nname = \"tar\"\n[packages]", "engine.path: it is missing"),
    (
        "[packages]",
        "[engine]\nname = \"tar\"\npath = \"x.tar\"\n[packages]",
        "packages: tar and dir take a finished tree",
    ),
    ("[packages]", "[engine]\nname = \"mmdebstrap\"\npath = \"x.tar\"\n[packages]", "engine.path: only tar and dir"),
    ("[packages]", "[engine]\nname = \"dnf\"\nvariant = \"apt\"\n[packages]", "engine.variant: only mmdebstrap"),
    ("[packages]", "[engine]\npath = \"x.tar\"\n[packages]", "engine.name is missing"),
    ("\"linux-image-cloud-amd64\"", "\"-oAPT::x=y\"", "packages.kernel: found the text"),
    ("kernel = \"linux-image-cloud-amd64\"", "insist = true", "packages.insist: on which kernel?"),
    ("\"cloud-init\",", "\"cloud-init\", \"cloud-init\",", "packages.install: it is in the list twice"),
    ("\"cloud-init\",", "\"a,b\",", "packages.install: found the text \"a,b\""),
    ("firmware = [\"bios\", \"uefi\"]", "firmware = []", "boot.firmware: it is empty"),
    ("firmware = [\"bios\", \"uefi\"]", "firmware = [\"coreboot\"]", "\"coreboot\" is none of bios, uefi, hybrid"),
    ("firmware = [\"bios\", \"uefi\"]", "firmware = true", "boot.firmware: found the word true without quotes"),
    ("cmdline = [\"console=tty0\"", "cmdline = [\"root=/dev/sda1\"", "boot.cmdline: the root comes by itself"),
    ("cmdline = [\"console=tty0\"", "cmdline = [\"a b\"", "boot.cmdline: found the text \"a b\""),
    ("[boot]", "[boot]\nspeed = 3", "there is no key \"speed\" in boot"),
    ("[boot]", "[boot]\ntimeout = 1000", "a whole number from 0 to 600"),
    ("[boot]", "[boot]\ntimeout = 0x10", "a whole number from 0 to 600"),
    ("format = \"qcow2\"", "format = \"raw\"", "disk.compression: it is for qcow2"),
    ("size = \"4 GiB\"", "size = \"4 GB\"", "KiB, MiB or GiB"),
    ("size = \"4 GiB\"", "size = 4", "disk.size: found the number 4"),
    ("size = \"4 GiB\"", "size = \"4097 KiB\"", "disk.size: 4097 KiB is no multiple of 1 MiB"),
    ("size = \"4 GiB\"", "size = \"65 MiB\"", "disk.size: the partitions do not fit into 65 MiB"),
    ("size = \"4 GiB\"", "size = \"67 MiB\"", "nothing is left for the root"),
    ("size = \"4 GiB\"", "size = \"99999999999999999999 GiB\"", "disk.size: found the text"),
    (
        "size = \"4 GiB\"",
        "size = \"4 GiB\"\nboot = \"1 GiB\"",
        "disk.boot: it is for a disk without [[disk.partition]]",
    ),
    ("size = \"4 GiB\"", "size = \"4 GiB\"\ntable = \"mbr\"", "disk.table: \"mbr\" is none of gpt"),
    ("kind = \"bios-boot\"", "kind = \"boot\"", "needs a partition of kind \"bios-boot\""),
    ("kind = \"esp\"", "kind = \"boot\"", "needs a partition of kind \"esp\""),
    (
        "[[disk.partition]]\nlabel = \"esp\"",
        "[[disk.partition]]\nlabel = \"b\"\nkind = \"bios-boot\"\nsize = \"1 MiB\"\n[[disk.partition]]\nlabel = \"esp\"",
        "disk.partition.kind: there is a partition of kind \"bios-boot\" already",
    ),
    ("kind = \"root\"", "kind = \"boot\"", "the last partition is not the root"),
    ("size = \"64 MiB\"\n", "", "disk.partition.size: it is missing; only the last"),
    ("size = \"64 MiB\"", "size = \"1 MiB\"", "an ESP of less than 8 MiB"),
    ("label = \"esp\"", "label = \"root\"", "disk.partition.label: another partition has this label"),
    ("label = \"esp\"", "label = \"esp\"\nnumber = 1", "disk.partition.number: another partition has this number"),
    ("filesystem = \"vfat\"", "filesystem = \"ext4\"", "the firmware reads an ESP only as vfat"),
    ("filesystem = \"ext4\"", "filesystem = \"vfat\"", "vfat has no owners"),
    ("filesystem = \"ext4\"", "filesystem = \"zfs\"", "\"zfs\" is none of ext4, xfs, btrfs, vfat"),
    ("mount = \"/\"", "mount = \"/srv\"", "disk.partition.mount: found \"/srv\", expected \"/\""),
    ("mount = \"/\"", "mount = \"/../\"", "an absolute path without blanks"),
    ("options = [\"discard\"", "options = [\"a,b\"", "one mount option"),
    ("[boot]", "[[user]]\nname = \"Root\"\n[boot]", "user.name: found the text \"Root\""),
    ("[boot]", "[[user]]\nname = \"a\"\npassword_hash = \"secret\"\n[boot]", "user.password_hash: found the text"),
    ("[boot]", "[[user]]\nname = \"a\"\n[[user]]\nname = \"a\"\n[boot]", "user.name: another [[user]] has this name"),
    ("[boot]", "[user]\nname = \"a\"\n[boot]", "user: found a table, expected a list of tables, [[user]]"),
    ("[boot]", "[ssh]\nroot_login = true\n[boot]", "ssh.root_login: found the word true without quotes"),
    ("[boot]", "[[file]]\npath = \"/etc/x\"\n[boot]", "a file has a text or a source; both are missing"),
    ("[boot]", "[[file]]\npath = \"etc/x\"\ntext = \"\"\n[boot]", "file.path: found the text \"etc/x\""),
    ("[boot]", "[[file]]\npath = \"/x\"\ntext = \"\"\nmode = 420\n[boot]", "file.mode: found the number 420"),
    ("[boot]", "[[file]]\npath = \"/etc/fstab\"\ntext = \"\"\n[boot]", "the build writes this file itself"),
    ("[boot]", "[[command]]\nrun = \"\"\n[boot]", "command.run: found the text"),
    ("[boot]", "[[command]]\nrun = \"x\"\nenvironment = { 1A = \"x\" }\n[boot]", "there is no \"1A\""),
    ("[boot]", "[cloud_init]\ndatasources = [\"Openstack\"]\n[boot]", "did you mean OpenStack?"),
    ("[boot]", "[modules]\noptions = [\"kvm nested=1\"]\n[boot]", "a line of modprobe.d begins with"),
    (
        "[boot]",
        "[units]\nenable = [\"a.service\"]\nmask = [\"a.service\"]\n[boot]",
        "it is switched off in the same recipe",
    ),
    ("[boot]", "[units]\nenable = [\"--now\"]\n[boot]", "units.enable: found the text \"--now\""),
    ("[boot]", "[properties]\nwith = [\"hw_nothing\"]\n[boot]", "there is no property \"hw_nothing\""),
    ("[boot]", "[properties]\nwatchdog_action = \"shutdown\"\n[boot]", "\"shutdown\" is none of none, pause"),
    ("[boot]", "[policy]\nos_purpose = \"genric\"\n[boot]", "policy.os_purpose: \"genric\" is given"),
    ("[boot]", "[policy]\nos_porpose = \"generic\"\n[boot]", "did you mean os_purpose?"),
    (
        "[boot]",
        "[properties]\nset = \"scs\"\n[policy]\nos_purpose = \"generic\"\n[boot]",
        "[policy] lacks min_ram, replace_frequency",
    ),
    ("[boot]", "[check]\nprofile = \"scs\"\n[boot]", "\"scs\" is none of openstack, bootable, strict"),
    ("[boot]", "[check]\nrequire = [\"vgpu\"]\n[boot]", "check.require: \"vgpu\" is none of"),
];

#[test]
fn bad_recipes_are_refused_with_line_and_key() {
    let wrong = |(from, to, says): &(&str, &str, &str)| {
        assert!(DEBIAN.contains(from), "{from}");
        let error = Recipe::parse("r.toml", &DEBIAN.replacen(from, to, 1)).map(drop).map_err(|error| error.to_string());
        let is_told = error.as_ref().is_err_and(|text| text.starts_with("r.toml:") && text.contains(says));
        (!is_told).then(|| format!("{to:?}: {error:?}"))
    };
    let wrong: Vec<String> = BAD.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whatever a file holds, it is read or refused.
#[test]
fn damaged_recipes_are_read_or_refused() {
    for end in (0..DEBIAN.len()).filter(|end| DEBIAN.is_char_boundary(*end)) {
        drop(Recipe::parse("r.toml", &DEBIAN[..end]));
    }
    for (at, _) in DEBIAN.char_indices() {
        for put in ["\"", "[", "]", "=", "\n", "0", "{"] {
            let mut text = DEBIAN.to_owned();
            text.replace_range(at..=at, put);
            drop(Recipe::parse("r.toml", &text));
        }
    }
}

/// What [`SMALL`] does not say.
const WHOLE: &str = r#"
format = "qcow2"
compression = "zstd"
table = "gpt"
trim = "mount"
filesystem = "ext4"
boot = "512 MiB"
esp = "64 MiB"
[engine]
name = "mmdebstrap"
variant = "important"
[packages]
kernel = "linux-image-amd64"
insist = true
install = ["sudo"]
[[user]]
name = "admin"
uid = 1000
groups = ["sudo"]
shell = "/bin/bash"
sudo = true
password_hash = "$6$a$b"
ssh_keys = ["ssh-ed25519 AAAA me"]
[ssh]
password_authentication = false
root_login = "no"
[[file]]
path = "/etc/motd"
mode = "0644"
owner = "root:root"
text = "hello\n"
[[command]]
run = "true"
environment = { A = "b" }
[units]
enable = ["a.service"]
disable = ["b.service"]
mask = ["c.service"]
[modules]
initrd = ["virtio_net"]
load = ["i6300esb"]
options = ["options kvm_intel nested=1"]
[cloud_init]
datasources = ["ConfigDrive", "OpenStack", "None"]
default_user = "admin"
disable_root = true
[properties]
title = "Small"
set = "full"
with = ["hw_video_model"]
without = ["os_type"]
watchdog_action = "pause"
[policy]
os_purpose = "generic"
min_ram = 512
license_included = false
provided_until = 2030-01-01
[check]
profile = "strict"
require = ["watchdog"]
"#;

/// Every key that the table has is one that the recipe's types know, and the other way round.
#[test]
fn the_table_is_the_language() {
    let whole = SMALL.to_owned() + WHOLE;
    let recipe = Recipe::parse("whole.toml", &whole).unwrap();
    assert_eq!(recipe.policy["min_ram"], "512");
    assert_eq!(recipe.policy["provided_until"], "2030-01-01");
    assert!(recipe.user[0].sudo && recipe.command[0].environment["A"] == "b");
}
