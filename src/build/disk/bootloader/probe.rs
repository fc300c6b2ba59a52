//! Stand-ins for the two programs by which grub-mkconfig looks at disks: they say what is found on the booted machine.

use super::{Options, Volume};

/// `grub-probe`: a device is `UUID=…`, which then also becomes `root=` of the kernel's command line
/// (`util/grub.d/10_linux.in`: the device itself, where there is no `/dev/disk`).
const PROBE: &str = r#"#!/bin/sh
# Stands in for grub-probe while the image is built: there is no disk to look at yet.
target=device volume=root
while [ $# -gt 0 ]; do
  case $1 in
    --target=*) target=${1#--target=} ;;
    -t|--target) target=$2; shift ;;
BOOT_CASE  esac
  shift
done
case $volume in
ROWS
esac
case $target in
  device) echo "UUID=$uuid" ;;
  disk) echo /dev/sda ;;
  fs) echo "$fs" ;;
  fs_uuid) echo "$uuid" ;;
  partuuid) echo "$partuuid" ;;
  partmap) echo gpt ;;
  hints_string)
    echo "--hint-bios=hd0,gpt$number --hint-efi=hd0,gpt$number --hint-baremetal=ahci0,gpt$number" ;;
  compatibility_hint|drive) echo "hd0,gpt$number" ;;
esac
"#;

/// `grub-mkrelpath`: a path as the loader sees it.
const MKRELPATH: &str = "#!/bin/sh\n# Stands in for grub-mkrelpath while the image is built.\nfor path; do :; done\n";

/// The script for `grub-probe`.
pub(super) fn probe(options: &Options) -> String {
    let row = |name: &str, volume: &Volume| {
        let Volume { number, partuuid, uuid, .. } = volume;
        format!("  {name}) uuid={uuid} partuuid={partuuid} number={number} fs={} ;;", module(&volume.filesystem))
    };
    let mut rows = vec![row("root", &options.root)];
    let mut case = String::new();
    if let Some(boot) = &options.boot {
        rows.push(row("boot", boot));
        case = format!("    {0}|{0}/*|UUID={1}) volume=boot ;;\n", boot.mount, boot.uuid);
    }
    PROBE.replace("BOOT_CASE", &case).replace("ROWS", &rows.join("\n"))
}

/// The script for `grub-mkrelpath`.
pub(super) fn mkrelpath(options: &Options) -> String {
    let case = options.boot.as_ref().map_or_else(String::new, |boot| {
        format!("case $path in {0}) path=/ ;; {0}/*) path=${{path#{0}}} ;; esac\n", boot.mount)
    });
    format!("{MKRELPATH}{case}echo \"$path\"\n")
}

/// GRUB's name for a file system, which is also that of its module.
pub(super) fn module(filesystem: &str) -> &str {
    match filesystem {
        "ext4" => "ext2",
        "vfat" => "fat",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::options;
    use super::*;
    use std::process::{Command, Stdio};

    #[expect(clippy::disallowed_methods, reason = "a test of scripts runs them")]
    fn said(script: &str, words: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).args(words.split(' ')).stdin(Stdio::null());
        String::from_utf8(shell.output().unwrap().stdout).unwrap().trim_end().to_owned()
    }

    #[test]
    fn the_root_is_found_by_its_uuid() {
        let script = probe(&options(false));
        for (words, answer) in [
            ("--target=device /", "UUID=root-uuid"),
            ("--target=device /boot", "UUID=root-uuid"),
            ("--device UUID=root-uuid --target=fs_uuid", "root-uuid"),
            ("--device UUID=root-uuid --target=partuuid", "root-part"),
            ("--device UUID=root-uuid --target=fs", "ext2"),
            ("--device UUID=root-uuid --target=abstraction", ""),
            ("--device UUID=root-uuid --target=cryptodisk_uuid", ""),
            ("--device UUID=root-uuid --target=compatibility_hint", "hd0,gpt1"),
            ("-t fs /usr/share/grub/unicode.pf2", "ext2"),
            ("-t drive /boot/grub", "hd0,gpt1"),
            ("-t abstraction /boot", ""),
            ("--target=partmap --device UUID=root-uuid", "gpt"),
        ] {
            assert_eq!(said(&script, words), answer, "{words}");
        }
        assert_eq!(said(&mkrelpath(&options(false)), "/boot/vmlinuz"), "/boot/vmlinuz");
    }

    #[test]
    fn a_boot_file_system_of_its_own_is_told_apart() {
        let script = probe(&options(true));
        for (words, answer) in [
            ("--target=device /", "UUID=root-uuid"),
            ("--target=device /boot", "UUID=boot-uuid"),
            ("-t fs /boot/grub/grub.cfg", "xfs"),
            ("-t fs /bootable", "ext2"),
            (
                "--device UUID=boot-uuid --target=hints_string",
                "--hint-bios=hd0,gpt16 --hint-efi=hd0,gpt16 --hint-baremetal=ahci0,gpt16",
            ),
        ] {
            assert_eq!(said(&script, words), answer, "{words}");
        }
        for (path, seen) in [("/boot", "/"), ("/boot/grub/x", "/grub/x"), ("/usr/share", "/usr/share"), ("/", "/")] {
            assert_eq!(said(&mkrelpath(&options(true)), path), seen);
        }
    }
}
