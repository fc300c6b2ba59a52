//! Files that are recognised by their magic and not read: each is refused by name, with the next step.

use super::{Format, Open, has};
use crate::bytes::Bytes;
use crate::error::Result;

const CONVERT: &str = "convert it with `qemu-img convert -O qcow2 IMAGE disk.qcow2`";

pub(super) const QCOW: Format =
    refused("qcow", |file| has(file, 0, b"QFI\xfb\0\0\0\x01"), "qcow version 1 is not read", CONVERT);
pub(super) const QED: Format =
    refused("qed", |file| has(file, 0, b"QED\0"), "QED is not read, and OpenStack bans it", CONVERT);
pub(super) const VMDK: Format = refused(
    "vmdk",
    |file| Ok(has(file, 0, b"KDMV")? || has(file, 0, b"COWD")? || has(file, 0, b"# Disk DescriptorFile")?),
    "VMDK is not read by this version",
    CONVERT,
);
pub(super) const VHDX: Format =
    refused("vhdx", |file| has(file, 0, b"vhdxfile"), "VHDX is not read by this version", CONVERT);
pub(super) const VPC: Format = refused("vpc", is_vhd, "VHD is not read by this version", CONVERT);
pub(super) const VDI: Format =
    refused("vdi", |file| has(file, 64, b"\x7f\x10\xda\xbe"), "VDI is not read by this version", CONVERT);
pub(super) const PARALLELS: Format = refused(
    "parallels",
    |file| Ok(has(file, 0, b"WithoutFreeSpace")? || has(file, 0, b"WithouFreSpacExt")?),
    "Parallels images are not read",
    CONVERT,
);
pub(super) const LUKS: Format = refused(
    "luks",
    |file| has(file, 0, b"LUKS\xba\xbe"),
    "the whole file is encrypted with LUKS",
    "check the image before it is encrypted",
);
pub(super) const ISO: Format = refused(
    "iso",
    |file| has(file, 32_769, b"CD001"),
    "ISO 9660 is an installation medium, not the disk of an installed system",
    "give the disk image that the installation wrote",
);
pub(super) const GZIP: Format = refused(
    "gzip",
    |file| has(file, 0, b"\x1f\x8b\x08"),
    "the file is compressed with gzip",
    "decompress it first: gunzip --keep IMAGE",
);
pub(super) const XZ: Format = refused(
    "xz",
    |file| has(file, 0, b"\xfd7zXZ\0"),
    "the file is compressed with xz",
    "decompress it first: unxz --keep IMAGE",
);
pub(super) const ZSTD: Format = refused(
    "zstd",
    |file| has(file, 0, b"\x28\xb5\x2f\xfd"),
    "the file is compressed with zstd",
    "decompress it first: unzstd IMAGE",
);
pub(super) const BZIP2: Format = refused(
    "bzip2",
    |file| has(file, 0, b"BZh"),
    "the file is compressed with bzip2",
    "decompress it first: bunzip2 --keep IMAGE",
);

const fn refused(
    name: &'static str,
    probe: fn(&Bytes) -> Result<bool>,
    cause: &'static str,
    help: &'static str,
) -> Format {
    Format { name, probe, open: Open::Refuses { cause, help } }
}

/// A dynamic VHD has its footer at both ends, a fixed one only in the last 512 bytes, or 511 from old Virtual PC
/// (`block/vpc.c`).
fn is_vhd(file: &Bytes) -> Result<bool> {
    let at_end = |back| file.size().checked_sub(back).map_or(Ok(false), |at| has(file, at, b"conectix"));
    Ok(has(file, 0, b"conectix")? || at_end(512)? || at_end(511)?)
}
