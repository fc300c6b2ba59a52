//! A kernel's `.config` → the options that are asked for (`Documentation/kbuild/kconfig.rst`).

use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::guest::{ConfigOption, KernelConfig};
use crate::limits::Limits;

/// Options that checks and properties ask for.
pub const CONFIG_OPTIONS: &[&str] = &[
    "CONFIG_MODULES",
    "CONFIG_MODULE_COMPRESS_NONE",
    "CONFIG_MODULE_COMPRESS_GZIP",
    "CONFIG_MODULE_COMPRESS_XZ",
    "CONFIG_MODULE_COMPRESS_ZSTD",
    "CONFIG_MODULE_SIG_FORCE",
    "CONFIG_BLK_DEV_INITRD",
    "CONFIG_INITRAMFS_SOURCE",
    "CONFIG_RD_GZIP",
    "CONFIG_RD_BZIP2",
    "CONFIG_RD_LZMA",
    "CONFIG_RD_XZ",
    "CONFIG_RD_LZO",
    "CONFIG_RD_LZ4",
    "CONFIG_RD_ZSTD",
    "CONFIG_PCI",
    "CONFIG_DEVTMPFS",
    "CONFIG_DEVTMPFS_MOUNT",
    "CONFIG_VIRTIO",
    "CONFIG_VIRTIO_PCI",
    "CONFIG_VIRTIO_PCI_LIB",
    "CONFIG_VIRTIO_PCI_LIB_LEGACY",
    "CONFIG_VIRTIO_PCI_LEGACY",
    "CONFIG_VIRTIO_MMIO",
    "CONFIG_VIRTIO_BLK",
    "CONFIG_VIRTIO_NET",
    "CONFIG_NET_FAILOVER",
    "CONFIG_FAILOVER",
    "CONFIG_SCSI_VIRTIO",
    "CONFIG_SCSI",
    "CONFIG_SCSI_MOD",
    "CONFIG_SCSI_COMMON",
    "CONFIG_BLK_DEV_SD",
    "CONFIG_BLK_DEV_SR",
    "CONFIG_VIRTIO_CONSOLE",
    "CONFIG_HW_RANDOM_VIRTIO",
    "CONFIG_VIRTIO_BALLOON",
    "CONFIG_VIRTIO_FS",
    "CONFIG_DRM_VIRTIO_GPU",
    "CONFIG_ATA",
    "CONFIG_SATA_AHCI",
    "CONFIG_ATA_PIIX",
    "CONFIG_BLK_DEV_NVME",
    "CONFIG_EXT4_FS",
    "CONFIG_EXT4_USE_FOR_EXT2",
    "CONFIG_XFS_FS",
    "CONFIG_BTRFS_FS",
    "CONFIG_F2FS_FS",
    "CONFIG_EROFS_FS",
    "CONFIG_SQUASHFS",
    "CONFIG_OVERLAY_FS",
    "CONFIG_FAT_FS",
    "CONFIG_VFAT_FS",
    "CONFIG_ISO9660_FS",
    "CONFIG_NLS_CODEPAGE_437",
    "CONFIG_NLS_ISO8859_1",
    "CONFIG_NLS_ASCII",
    "CONFIG_DM_CRYPT",
    "CONFIG_BLK_DEV_DM",
    "CONFIG_MD",
    "CONFIG_WATCHDOG",
    "CONFIG_I6300ESB_WDT",
    "CONFIG_ITCO_WDT",
    "CONFIG_SERIAL_8250_CONSOLE",
    "CONFIG_SERIAL_AMBA_PL011_CONSOLE",
    "CONFIG_TCG_CRB",
    "CONFIG_TCG_TIS",
    "CONFIG_AMD_MEM_ENCRYPT",
    "CONFIG_INTEL_TDX_GUEST",
    "CONFIG_PREEMPT_RT",
    "CONFIG_EFI_STUB",
    "CONFIG_CMDLINE",
    "CONFIG_CMDLINE_BOOL",
    "CONFIG_CMDLINE_OVERRIDE",
];

/// The configuration that distributions ship for `version`; `None` when there is none.
pub(super) fn read(root: &Root, version: &str, limits: &Limits) -> Result<Option<KernelConfig>> {
    let shipped = ["/boot/config-", "/usr/lib/modules/", "/lib/modules/"];
    for (folder, file) in shipped.into_iter().zip(["", "/config", "/config"]) {
        let path = format!("{folder}{version}{file}");
        if let Some(bytes) = root.read_if_exists(&path, limits.module_index)? {
            return parse_config(&path, &bytes).map(Some);
        }
    }
    Ok(None)
}

/// The options of [`CONFIG_OPTIONS`] in `.config` syntax (`Documentation/kbuild/kconfig.rst`); the last line of one wins.
///
/// # Errors
/// `Corrupt` when no line of the file sets any option.
pub fn parse_config(path: &str, bytes: &[u8]) -> Result<KernelConfig> {
    let mut options: Vec<ConfigOption> = Vec::new();
    let mut has_any = false;
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1_u32..) {
        let Some((name, value)) = config_line(line.trim_ascii_end()) else { continue };
        has_any = true;
        let Some(name) = CONFIG_OPTIONS.iter().find(|option| option.as_bytes() == name) else { continue };
        options.retain(|option| option.name != *name);
        options.push(ConfigOption { name: (*name).to_owned(), value: text(value), line: number });
    }
    if has_any {
        return Ok(KernelConfig { path: path.to_owned(), options });
    }
    Err(Error::corrupt("kernel configuration", "no line of it sets an option; expected CONFIG_…=").at(path))
}

/// `CONFIG_X=value`, or `# CONFIG_X is not set` as `n`.
fn config_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(name) = line.strip_prefix(b"# ").and_then(|rest| rest.strip_suffix(b" is not set")) {
        return name.starts_with(b"CONFIG_").then_some((name, b"n"));
    }
    let equals = line.iter().position(|&byte| byte == b'=').filter(|_| line.starts_with(b"CONFIG_"))?;
    Some((line.get(..equals)?, line.get(equals.checked_add(1)?..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_reduced_to_what_is_asked_for() {
        let config = "#\n# Automatically generated file; DO NOT EDIT.\nCONFIG_VIRTIO=y\n# CONFIG_I6300ESB_WDT is not set\nCONFIG_EXT4_FS=m\nCONFIG_UNASKED=y\nCONFIG_INITRAMFS_SOURCE=\"\"\r\nCONFIG_EXT4_FS=y\n";
        let config = parse_config("c", config.as_bytes()).unwrap();
        let found: Vec<String> =
            config.options.iter().map(|option| format!("{}:{}={}", option.line, option.name, option.value)).collect();
        let expected =
            ["3:CONFIG_VIRTIO=y", "4:CONFIG_I6300ESB_WDT=n", "7:CONFIG_INITRAMFS_SOURCE=\"\"", "8:CONFIG_EXT4_FS=y"];
        assert_eq!(found, expected);
        assert!(parse_config("c", b"\x7fELF").is_err());
    }
}
