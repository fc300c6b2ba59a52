//! GRUB's configuration in the tree, its core for BIOS and its EFI program, made without looking at a device.

mod probe;
mod script;

use super::target::{self, Target};
use crate::build::plan::{Architecture, Family, Firmware, place};
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};
use crate::limits::MIB;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What starts, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Whose GRUB: names of its programs and folders.
    pub family: Family,
    /// os-release `ID`: the folder on the ESP that a signed GRUB reads, `/EFI/debian`.
    pub distribution: String,
    /// Of the EFI program.
    pub architecture: Architecture,
    /// Sorted, each once, at least one.
    pub firmware: Vec<Firmware>,
    /// Words of the kernel command line besides `root=` and `ro`.
    pub cmdline: Vec<String>,
    /// Seconds that the menu waits.
    pub timeout: u32,
    /// Speed of GRUB's serial terminal, in baud; none without.
    pub serial: Option<u32>,
    /// The distribution's signed shim and GRUB instead of one made here.
    pub secure_boot: bool,
    /// The root file system.
    pub root: Volume,
    /// `/boot`, where it is a file system of its own.
    pub boot: Option<Volume>,
    /// The EFI system partition.
    pub esp: Option<Volume>,
    /// Where the core for BIOS is written, by its number.
    pub bios_partition: Option<u32>,
}

/// A file system that the loader reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Number of its partition, from 1.
    pub number: u32,
    /// `PARTUUID`, lower case.
    pub partuuid: String,
    /// As blkid prints it: `4a1f7c1e-…`, or `0D12-0000` of a FAT.
    pub uuid: String,
    /// `ext4`, `xfs`, `btrfs`, `vfat`.
    pub filesystem: String,
    /// Where it is mounted.
    pub mount: String,
}

/// The name of the stage in the log.
const STAGE: &str = "bootloader";
/// Bytes of boot.img and of the largest core that BIOS loads.
const MAX_LOADER: u64 = MIB;

/// How a family calls GRUB.
struct Grub {
    /// What its programs' names begin with.
    programs: &'static str,
    /// Its folder in the tree.
    folder: &'static str,
    /// Whether grub-mkconfig reads `/etc/default/grub.d` (a patch of Debian's).
    has_folder: &'static str,
}

fn grub(family: Family) -> Grub {
    match family {
        Family::Debian | Family::Ubuntu => Grub { programs: "grub", folder: "/boot/grub", has_folder: "yes" },
        Family::Alpine | Family::Arch => Grub { programs: "grub", folder: "/boot/grub", has_folder: "no" },
        Family::Fedora | Family::Suse => Grub { programs: "grub2", folder: "/boot/grub2", has_folder: "no" },
    }
}

/// Names of what UEFI starts, by architecture.
struct Efi {
    platform: &'static str,
    /// What firmware looks for (UEFI 2.10 §3.5.1.1).
    name: &'static str,
    grub: &'static str,
    mok: &'static str,
    shim: &'static str,
    signed: &'static str,
    mok_in_tree: &'static str,
}

/// Places of Debian's and Ubuntu's packages shim-signed and grub-efi-*-signed.
const X86_64: Efi = Efi {
    platform: "x86_64-efi",
    name: "BOOTX64.EFI",
    grub: "grubx64.efi",
    mok: "mmx64.efi",
    shim: "/usr/lib/shim/shimx64.efi.signed.latest /usr/lib/shim/shimx64.efi.signed",
    signed: "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
    mok_in_tree: "/usr/lib/shim/mmx64.efi.signed /usr/lib/shim/mmx64.efi",
};
const AARCH64: Efi = Efi {
    platform: "arm64-efi",
    name: "BOOTAA64.EFI",
    grub: "grubaa64.efi",
    mok: "mmaa64.efi",
    shim: "/usr/lib/shim/shimaa64.efi.signed.latest /usr/lib/shim/shimaa64.efi.signed",
    signed: "/usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed",
    mok_in_tree: "/usr/lib/shim/mmaa64.efi.signed /usr/lib/shim/mmaa64.efi",
};

/// Writes the loader's files into the tree, and boot.img and core.img beside it.
///
/// # Errors
/// A tree without GRUB or without a kernel, secure boot where nothing is signed, and as the programs have it.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    check(options)?;
    let bios = options.firmware.contains(&Firmware::Bios);
    let uefi = options.firmware.contains(&Firmware::Uefi);
    let run = |text: &str| {
        let text = [script::PRELUDE, text].concat();
        shop.run(STAGE, shop.within("sh").args(["-euc", &text]).envs(words(options)))
    };
    run(script::SETTINGS)?;
    run(script::MENU)?;
    if uefi {
        run(if options.secure_boot { script::SIGNED } else { script::UEFI })?;
    }
    if bios {
        run(script::BIOS)?;
        let folder = shop.folder().join(place::LOADER);
        std::fs::create_dir_all(&folder).map_err(|error| target::failed(&folder, &error, 0))?;
        ["boot.img", "core.img"].into_iter().try_for_each(|name| fetch(shop, &folder, name))?;
    }
    run("rm -rf /.bootworthy")
}

/// Brings a file out of the tree, read there: a link in the tree leads nowhere else.
fn fetch(shop: &Workshop, folder: &Path, name: &str) -> Result<()> {
    let bytes = shop.output(STAGE, shop.within("cat").arg(format!("/.bootworthy/{name}")), MAX_LOADER)?;
    Target::create(&folder.join(name))?.write(0, &bytes)
}

/// What goes into scripts unquoted, or between quotes that it could end.
fn check(options: &Options) -> Result<()> {
    let volumes = [Some(&options.root), options.boot.as_ref(), options.esp.as_ref()];
    let texts = volumes
        .into_iter()
        .flatten()
        .flat_map(|volume| [&volume.uuid, &volume.partuuid, &volume.filesystem, &volume.mount]);
    let is_plain = |text: &&String| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/')) && !text.contains("..")
    };
    let wrong =
        |text: &String| Err(Error::corrupt("loader's options", format!("{text:?} has characters of the shell")));
    if let Some(text) = texts.chain([&options.distribution]).find(|text| !is_plain(text)) {
        return wrong(text);
    }
    let is_word =
        |word: &&String| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic() && !"'\"\\$`#".contains(c));
    if let Some(word) = options.cmdline.iter().find(|word| !is_word(word)) {
        return wrong(word);
    }
    if options.secure_boot && !matches!(options.family, Family::Debian | Family::Ubuntu) {
        let cause = format!("where the signed shim of {} stands is not known here", options.distribution);
        return Err(Error::unsupported("secure boot", cause));
    }
    match (&options.esp, options.firmware.contains(&Firmware::Uefi)) {
        (None, true) => Err(Error::not_found("EFI system partition for the firmware uefi")),
        _ => Ok(()),
    }
}

/// The variables of the scripts.
fn words(options: &Options) -> Vec<(&'static str, String)> {
    let grub = grub(options.family);
    let efi = match options.architecture {
        Architecture::X86_64 => &X86_64,
        Architecture::Aarch64 => &AARCH64,
    };
    let home = options.boot.as_ref().unwrap_or(&options.root);
    let mount = home.mount.trim_end_matches('/');
    let prefix = grub.folder.strip_prefix(mount).unwrap_or(grub.folder);
    let Volume { uuid, number, .. } = home;
    let platforms = options.firmware.iter().map(|firmware| match firmware {
        Firmware::Bios => "i386-pc",
        Firmware::Uefi => efi.platform,
    });
    let cmdline = [&[format!("root=UUID={}", options.root.uuid), "ro".to_owned()], options.cmdline.as_slice()].concat();
    vec![
        ("BW_GRUB", grub.programs.to_owned()),
        ("BW_FOLDER", grub.folder.to_owned()),
        ("BW_HAS_FOLDER", grub.has_folder.to_owned()),
        ("BW_PREFIX", prefix.to_owned()),
        ("BW_PLATFORMS", platforms.collect::<Vec<_>>().join(" ")),
        ("BW_PACKAGES", "grub-pc-bin, grub-efi-amd64-bin or grub-efi-arm64-bin".to_owned()),
        ("BW_SETTINGS", settings(options)),
        ("BW_PROBE", probe::probe(options)),
        ("BW_RELPATH", probe::mkrelpath(options)),
        ("BW_ROOT", options.root.uuid.clone()),
        ("BW_CMDLINE", cmdline.join(" ")),
        ("BW_MODULE", probe::module(&home.filesystem).to_owned()),
        ("BW_EARLY", format!("search.fs_uuid {uuid} root\nset prefix=($root){prefix}\n")),
        ("BW_PLATFORM", efi.platform.to_owned()),
        ("BW_ESP", options.esp.as_ref().map_or_else(String::new, |esp| esp.mount.clone())),
        ("BW_VENDOR", options.distribution.clone()),
        (
            "BW_ESP_CFG",
            format!(
                "search.fs_uuid {uuid} root hd0,gpt{number}\nset prefix=($root)'{prefix}'\nconfigfile $prefix/grub.cfg\n"
            ),
        ),
        ("BW_EFI_NAME", efi.name.to_owned()),
        ("BW_GRUB_NAME", efi.grub.to_owned()),
        ("BW_MOK_NAME", efi.mok.to_owned()),
        ("BW_SHIM", efi.shim.to_owned()),
        ("BW_SIGNED", efi.signed.to_owned()),
        ("BW_MOK", efi.mok_in_tree.to_owned()),
    ]
}

/// What grub-mkconfig is told.
fn settings(options: &Options) -> String {
    let mut lines = vec![
        format!("GRUB_TIMEOUT={}", options.timeout),
        // Ubuntu's: a machine that was cut off would wait 30 seconds.
        format!("GRUB_RECORDFAIL_TIMEOUT={}", options.timeout),
        "GRUB_CMDLINE_LINUX_DEFAULT=''".to_owned(),
        format!("GRUB_CMDLINE_LINUX='{}'", options.cmdline.join(" ")),
        "GRUB_DISABLE_OS_PROBER=true".to_owned(),
    ];
    if let Some(speed) = options.serial {
        // A virtual machine need not have a screen, and without one gfxterm hangs.
        lines.push("GRUB_TERMINAL='console serial'".to_owned());
        lines.push(format!("GRUB_SERIAL_COMMAND='serial --speed={speed}'"));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn options(has_boot: bool) -> Options {
        let volume = |number, name: &str, filesystem: &str, mount: &str| Volume {
            number,
            partuuid: format!("{name}-part"),
            uuid: format!("{name}-uuid"),
            filesystem: filesystem.to_owned(),
            mount: mount.to_owned(),
        };
        Options {
            family: Family::Debian,
            distribution: "debian".into(),
            architecture: Architecture::X86_64,
            firmware: vec![Firmware::Bios, Firmware::Uefi],
            cmdline: vec!["console=tty0".into(), "console=ttyS0,115200".into()],
            timeout: 1,
            serial: Some(115_200),
            secure_boot: false,
            root: volume(1, "root", "ext4", "/"),
            boot: has_boot.then(|| volume(16, "boot", "xfs", "/boot")),
            esp: Some(volume(15, "esp", "vfat", "/boot/efi")),
            bios_partition: Some(14),
        }
    }

    #[test]
    fn grub_is_found_where_it_stands() {
        for (has_boot, early, configuration) in [
            (
                false,
                "search.fs_uuid root-uuid root\nset prefix=($root)/boot/grub\n",
                "search.fs_uuid root-uuid root hd0,gpt1\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n",
            ),
            (
                true,
                "search.fs_uuid boot-uuid root\nset prefix=($root)/grub\n",
                "search.fs_uuid boot-uuid root hd0,gpt16\nset prefix=($root)'/grub'\nconfigfile $prefix/grub.cfg\n",
            ),
        ] {
            let words = words(&options(has_boot));
            let word = |name| words.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
            assert_eq!((word("BW_EARLY"), word("BW_ESP_CFG")), (Some(early), Some(configuration)));
            assert_eq!(word("BW_MODULE"), Some(if has_boot { "xfs" } else { "ext2" }));
            assert_eq!(word("BW_CMDLINE"), Some("root=UUID=root-uuid ro console=tty0 console=ttyS0,115200"));
        }
    }

    #[test]
    fn words_of_the_shell_are_refused() {
        type Change = fn(&mut Options);
        assert_eq!(check(&options(true)), Ok(()));
        let changes: [(Change, &str); 6] = [
            (|options| options.cmdline = vec!["a'b".into()], "characters of the shell"),
            (|options| options.cmdline = vec!["a b".into()], "characters of the shell"),
            (|options| options.root.uuid = "$(id)".into(), "characters of the shell"),
            (|options| options.distribution = "../x".into(), "characters of the shell"),
            (|options| options.esp = None, "EFI system partition"),
            (|options| (options.secure_boot, options.family) = (true, Family::Alpine), "secure boot"),
        ];
        for (change, said) in changes {
            let mut options = options(false);
            change(&mut options);
            let error = check(&options).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
