//! Modules into every initrd of the tree, by the way of the program that makes them.

use super::kernels::{Has, kernels};
use super::root::Root;
use super::say;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What every initrd must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What makes them.
    pub generator: Generator,
    /// With underscores, sorted; those that the kernel has built in are passed over.
    pub modules: Vec<String>,
    /// The root's file system, whose module is among `modules` too.
    pub root_filesystem: String,
}

/// Programs that make initrds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generator {
    /// `/etc/initramfs-tools/modules`, `update-initramfs` for every kernel.
    InitramfsTools,
    /// `add_drivers` in `/etc/dracut.conf.d`, `dracut --force --regenerate-all --no-hostonly`.
    Dracut,
    /// `features` in `/etc/mkinitfs/mkinitfs.conf` and a feature file of modules.
    Mkinitfs,
    /// `MODULES` in `/etc/mkinitcpio.conf.d`.
    Mkinitcpio,
    /// `INITRD_MODULES` in `/etc/sysconfig/kernel` besides dracut's `add_drivers`.
    Suse,
}

/// Those that are there are made anew, and one for each kernel that has none; with the links beside those to kernels
/// (`man 1 linux-update-symlinks`).
const EVERY_INITRD: &str = r#"
missing=
for folder in /lib/modules/*/; do
  version=$(basename "$folder")
  [ ! -e "/boot/vmlinuz-$version" ] || [ -e "/boot/initrd.img-$version" ] || missing="$missing $version"
done
if ls /boot/initrd.img-* >/dev/null 2>&1; then update-initramfs -u -k all; fi
for version in $missing; do update-initramfs -c -k "$version"; done
for old in "" .old; do
  kernel=$(readlink "/vmlinuz$old") || continue
  initrd=${kernel%vmlinuz-*}initrd.img-${kernel##*vmlinuz-}
  if [ -e "/$initrd" ] && [ ! -L "/initrd.img$old" ]; then ln -s "$initrd" "/initrd.img$old"; fi
done
"#;
/// The name of the stage in the log.
const STAGE: &str = "initrd";
/// What initramfs-tools adds by name (man 5 initramfs-tools).
const INITRAMFS_TOOLS: &str = "/etc/initramfs-tools/modules";
/// Read after what distributions bring (man 5 dracut.conf).
const DRACUT: &str = "/etc/dracut.conf.d/90-bootworthy.conf";
/// `INITRD_MODULES` of SUSE.
const SYSCONFIG: &str = "/etc/sysconfig/kernel";
/// A feature of our own, named in `mkinitfs.conf` (mkinitfs(1), "FEATURE FILES").
const MKINITFS: &str = "/etc/mkinitfs/mkinitfs.conf";
const MKINITFS_FEATURE: &str = "/etc/mkinitfs/features.d/bootworthy.modules";
/// Read after `mkinitcpio.conf` (mkinitcpio(8)).
const MKINITCPIO: &str = "/etc/mkinitcpio.conf.d/90-bootworthy.conf";
/// Begins and ends the lines that are ours in a file of others.
const BEGIN: &str = "# bootworthy build: begin";
const END: &str = "# bootworthy build: end";

/// Tells the generator, and has it make every initrd anew.
///
/// # Errors
/// A module that a kernel of the tree does not have; a generator that is not in the tree or fails.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    configure(options, shop)?;
    for words in programs(options.generator) {
        let Some((program, arguments)) = words.split_first() else { continue };
        shop.run(STAGE, shop.within(program).args(arguments))?;
    }
    Ok(())
}

/// Tells the generator, and no more.
///
/// # Errors
/// A module that a kernel of the tree does not have.
pub fn configure(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply(STAGE, &Stage::Initrd(options.clone()), shop)
}

/// What makes every initrd of the tree.
fn programs(generator: Generator) -> &'static [&'static [&'static str]] {
    match generator {
        Generator::InitramfsTools => &[&["sh", "-euc", EVERY_INITRD]],
        Generator::Dracut | Generator::Suse => &[&["dracut", "--force", "--regenerate-all", "--no-hostonly"]],
        // For every kernel: mkinitfs takes the version, and names its file after the flavour behind the last dash.
        Generator::Mkinitfs => &[&[
            "sh",
            "-euc",
            "for folder in /lib/modules/*/; do version=$(basename \"$folder\"); mkinitfs -o \"/boot/initramfs-${version##*-}\" \"$version\"; done",
        ]],
        Generator::Mkinitcpio => &[&["mkinitcpio", "-P"]],
    }
}

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    let modules = wanted(options, root)?;
    match options.generator {
        Generator::InitramfsTools => root.edit(INITRAMFS_TOOLS, |old| Some(block(old, &(modules.join("\n") + "\n")))),
        Generator::Dracut => dracut(&modules, root),
        Generator::Suse => {
            root.edit(SYSCONFIG, |old| Some(variable(old, "INITRD_MODULES", &modules.join(" "))))?;
            dracut(&modules, root)
        }
        Generator::Mkinitfs => {
            root.write(MKINITFS_FEATURE, mkinitfs(&modules).as_bytes())?;
            root.edit(MKINITFS, |old| Some(variable(old, "features", &features(old))))
        }
        Generator::Mkinitcpio => root.write(MKINITCPIO, format!("MODULES+=({})\n", modules.join(" ")).as_bytes()),
    }
}

/// The modules that some kernel has as a file; what all have built in is passed over.
fn wanted<'a>(options: &'a Options, root: &Root) -> Result<Vec<&'a str>> {
    let mut wanted = Vec::new();
    let kernels = kernels(root)?;
    for module in &options.modules {
        let mut is_file = false;
        for kernel in &kernels {
            match kernel.modules(root)?.has(module) {
                Has::Module => is_file = true,
                Has::BuiltIn => say(&format!("{module} is built into {}", kernel.version)),
                Has::Not => {
                    return Err(Error::not_found(format!("module {module}"))
                        .because(format!("{} has it neither built in nor as a module", kernel.version))
                        .help(
                            "name another kernel's package in [packages] kernel, or the package that has the module",
                        ));
                }
            }
        }
        if is_file {
            wanted.push(module.as_str());
        }
    }
    Ok(wanted)
}

/// Not for the machine that builds; GRUB of every distribution reads what `zstd` or `gzip` made, the kernel too.
fn dracut(modules: &[&str], root: &Root) -> Result<()> {
    let text = format!("hostonly=\"no\"\nreproducible=\"yes\"\nadd_drivers+=\" {} \"\n", modules.join(" "));
    root.write(DRACUT, text.as_bytes())
}

/// Patterns below `/lib/modules/VERSION/`: names of files have dashes where modules have underscores.
fn mkinitfs(modules: &[&str]) -> String {
    let pattern = |module: &&str| format!("kernel/**/{}.ko*\n", module.replace('_', "[-_]"));
    modules.iter().map(pattern).collect()
}

/// The features that stand there, and ours.
fn features(old: &str) -> String {
    let value = old.lines().rev().find_map(|line| line.trim().strip_prefix("features="));
    // mkinitfs's own default (mkinitfs.conf of Alpine 3.20).
    let value = value.map_or("ata base ide scsi usb virtio ext4", |value| value.trim_matches('"'));
    if value.split_ascii_whitespace().any(|feature| feature == "bootworthy") {
        value.to_owned()
    } else {
        format!("{value} bootworthy")
    }
}

/// A block of ours in a file of others, in place of the one before.
fn block(old: &str, text: &str) -> String {
    let mut kept = String::new();
    let mut is_ours = false;
    for line in old.lines() {
        match line {
            BEGIN => is_ours = true,
            END => is_ours = false,
            _ if is_ours => {}
            _ => kept.extend([line, "\n"]),
        }
    }
    format!("{kept}{BEGIN}\n{text}{END}\n")
}

/// Sets a variable of a file that a shell reads; of several lines the last one counts, and it alone stays.
fn variable(old: &str, name: &str, value: &str) -> String {
    let is_it = |line: &&str| line.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
    let kept: String = old.lines().filter(|line| !is_it(line)).flat_map(|line| [line, "\n"]).collect();
    format!("{kept}{name}=\"{value}\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join("usr/lib/modules/6.1-x");
        std::fs::create_dir_all(&modules).unwrap();
        std::fs::write(modules.join("modules.builtin"), "kernel/drivers/virtio/virtio_pci.ko\n").unwrap();
        std::fs::write(
            modules.join("modules.dep"),
            "kernel/drivers/scsi/virtio_scsi.ko.xz:\nkernel/drivers/net/virtio-net.ko.xz: kernel/net/core/failover.ko.xz\n",
        )
        .unwrap();
        let root = Root::open(folder.path()).unwrap();
        (folder, root)
    }

    fn options(generator: Generator, modules: &[&str]) -> Options {
        Options {
            generator,
            modules: modules.iter().map(|module| (*module).to_owned()).collect(),
            root_filesystem: "ext4".into(),
        }
    }

    #[test]
    fn every_generator_is_told_in_its_way() {
        for (generator, before, after) in [
            (
                Generator::InitramfsTools,
                (INITRAMFS_TOOLS, "# List of modules\n"),
                &[(
                    INITRAMFS_TOOLS,
                    "# List of modules\n# bootworthy build: begin\nvirtio_net\nvirtio_scsi\n# bootworthy build: end\n",
                )][..],
            ),
            (
                Generator::Dracut,
                ("/etc/dracut.conf", ""),
                &[(DRACUT, "hostonly=\"no\"\nreproducible=\"yes\"\nadd_drivers+=\" virtio_net virtio_scsi \"\n")],
            ),
            (
                Generator::Suse,
                (SYSCONFIG, "# a\nINITRD_MODULES=\"thermal\"\nDOMU_INITRD_MODULES=\"x\"\n"),
                &[
                    (SYSCONFIG, "# a\nDOMU_INITRD_MODULES=\"x\"\nINITRD_MODULES=\"virtio_net virtio_scsi\"\n"),
                    (DRACUT, "hostonly=\"no\"\nreproducible=\"yes\"\nadd_drivers+=\" virtio_net virtio_scsi \"\n"),
                ],
            ),
            (
                Generator::Mkinitfs,
                (MKINITFS, "features=\"base ext4\"\n"),
                &[
                    (MKINITFS, "features=\"base ext4 bootworthy\"\n"),
                    (MKINITFS_FEATURE, "kernel/**/virtio[-_]net.ko*\nkernel/**/virtio[-_]scsi.ko*\n"),
                ],
            ),
            (
                Generator::Mkinitcpio,
                ("/etc/mkinitcpio.conf", ""),
                &[(MKINITCPIO, "MODULES+=(virtio_net virtio_scsi)\n")],
            ),
        ] {
            let (_folder, root) = tree();
            root.write(before.0, before.1.as_bytes()).unwrap();
            // Twice is once.
            for _ in 0..2 {
                apply(&options(generator, &["virtio_net", "virtio_pci", "virtio_scsi"]), &root).unwrap();
            }
            for (path, text) in after {
                assert_eq!(root.text(path).unwrap(), *text, "{generator:?}");
            }
        }
    }

    #[test]
    fn a_module_that_the_kernel_does_not_have_is_an_error() {
        let (_folder, root) = tree();
        let error = apply(&options(Generator::Dracut, &["virtio_blk"]), &root).unwrap_err().to_string();
        assert_eq!(error, "module virtio_blk: 6.1-x has it neither built in nor as a module");
    }
}
