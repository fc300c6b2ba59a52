//! qcow2 versions 2 and 3 → the virtual disk (QEMU, `docs/interop/qcow2.rst`).

mod claims;
mod disk;
mod header;
mod lru;
mod walk;

use super::{Format, Open, Opened, Overlays, has};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::fact::{Flaw, Listing};
use crate::limits::Limits;
use disk::Disk;
use header::{CORRUPT, Compression, DATA_FILE, DIRTY, Header};
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "qcow2", probe, open: Open::Reads(open) };

/// Version 1 is another format, refused by name.
fn probe(file: &Bytes) -> Result<bool> {
    Ok(has(file, 0, b"QFI\xfb")? && !has(file, 4, &[0, 0, 0, 1])?)
}

fn open(file: Bytes, overlays: &Overlays, limits: &Limits) -> Result<Opened> {
    let header = Header::read(&file, limits)?;
    let mut features = features(&header);
    let mut flaws = flaws(&header);
    let data = data_file(&header, overlays)?;
    let backing = backing(&header, overlays, limits, &mut flaws)?;
    let disk = Disk::new(file, header, data, backing)?;
    let seen = walk::walk(&disk, walk::MOST, &mut flaws)?;
    if seen.has_compressed || disk.header.compression == Compression::Zstd {
        features.insert(1, if disk.header.compression == Compression::Zstd { "zstd" } else { "zlib" }.to_owned());
    }
    Ok(Opened { format: FORMAT.name, disk: Arc::new(disk), features, flaws })
}

fn features(header: &Header) -> Vec<String> {
    let mut features = vec![format!("v{}", header.version)];
    let mut add = |has: bool, name: &str| {
        if has {
            features.push(name.to_owned());
        }
    };
    add(header.has_lazy_refcounts, "lazy-refcounts");
    add(header.backing.is_some(), "backing");
    add(header.incompatible & DATA_FILE != 0, "data-file");
    add(header.has_extended_l2(), "extended-l2");
    add(header.snapshots == 1, "1 snapshot");
    add(header.snapshots > 1, &format!("{} snapshots", header.snapshots));
    features
}

fn flaws(header: &Header) -> Listing<Flaw> {
    let mut flaws = Vec::new();
    let mut add = |has: bool, id: &str, found: &str| {
        if has {
            flaws.push(Flaw { id: id.to_owned(), found: found.to_owned(), fatal: true });
        }
    };
    add(
        header.incompatible & DIRTY != 0,
        "qcow2-dirty",
        "the dirty bit is set: the program that wrote it did not finish; `qemu-img check -r all` repairs a copy",
    );
    add(
        header.incompatible & CORRUPT != 0,
        "qcow2-corrupt",
        "the corrupt bit is set: QEMU found its tables contradicting; `qemu-img check -r all` repairs a copy",
    );
    add(
        header.has_extended_l2(),
        "qcow2-extended-l2",
        "the image has extended L2 entries: OpenStack's format_inspector refuses them as an unknown feature; convert it with `qemu-img convert -O qcow2 -o extended_l2=off`",
    );
    // Whoever names the other file knows of it, and what is judged is the disk that both make together.
    let mut note = |has: bool, id: &str, found: &str| {
        if has {
            flaws.push(Flaw { id: id.to_owned(), found: found.to_owned(), fatal: false });
        }
    };
    note(
        header.backing.is_some(),
        "qcow2-backing-file",
        "the image is an overlay: Glance refuses it until it is flattened with `qemu-img convert`",
    );
    note(
        header.incompatible & DATA_FILE != 0,
        "qcow2-data-file",
        "the image keeps its data in another file: Glance refuses it until it is converted with `qemu-img convert`",
    );
    flaws.into()
}

fn data_file(header: &Header, overlays: &Overlays) -> Result<Option<Bytes>> {
    let name = header.data_file.as_deref().unwrap_or("(no name)");
    match (header.incompatible & DATA_FILE != 0, &overlays.data_file) {
        (false, None) => Ok(None),
        (true, Some(file)) => Ok(Some(Arc::clone(file))),
        (false, Some(_)) => Err(Error::unsupported("qcow2", "the image has no external data file, and one was given")
            .help("leave out --data-file")),
        (true, None) => Err(Error::unsupported("qcow2", format!("this image keeps its data in \"{name}\" and is not complete without it"))
            .why("Glance refuses images with an external data file; following it would read a file that the image chose (CVE-2024-32498)")
            .help("make it whole with `qemu-img convert -O qcow2 IMAGE whole.qcow2`, or name the file yourself: --data-file FILE")),
    }
}

/// The disk below this one; its flaws are this image's as well.
fn backing(header: &Header, overlays: &Overlays, limits: &Limits, flaws: &mut Listing<Flaw>) -> Result<Option<Bytes>> {
    let (Some(name), Some((nearest, further))) = (&header.backing, overlays.backing.split_first()) else {
        return match (&header.backing, overlays.backing.is_empty()) {
            (None, true) => Ok(None),
            (None, false) => Err(Error::unsupported("qcow2", "the image has no backing file, and one was given")
                .help("leave out --backing, or give one file less")),
            (Some(name), _) => {
                Err(Error::unsupported("qcow2", format!("this image is an overlay of \"{name}\" and is not complete without it"))
                    .why("Glance refuses images with a backing file; following it would read a file that the image chose (CVE-2024-32498)")
                    .help("flatten it with `qemu-img convert -O qcow2 IMAGE whole.qcow2`, or name your own base: --backing FILE"))
            }
        };
    };
    let below = Overlays { backing: further.to_vec(), data_file: None };
    let opened = super::open(Arc::clone(nearest), &below, limits)
        .map_err(|error| error.at(format!("the backing file for \"{name}\"")))?;
    for flaw in opened.flaws.items {
        flaws.items.push(Flaw { found: format!("in the backing file: {}", flaw.found), ..flaw });
    }
    flaws.gaps.extend(opened.flaws.gaps);
    Ok(Some(opened.disk))
}
