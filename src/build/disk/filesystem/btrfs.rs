//! btrfs from a folder of the tree: `mkfs.btrfs --rootdir`. Not the same bytes twice: it draws identifiers of its own.

use super::{FileSystem, Job, STAGE};
use crate::error::Result;

/// Makes the file system in `job.image`.
///
/// # Errors
/// What does not fit, and as the workshop has them.
pub(super) fn make(job: &Job<'_>, filesystem: &FileSystem) -> Result<()> {
    let bytes = job.listing(filesystem)?.bytes(false);
    job.check_room(filesystem, bytes)?;
    let mut mkfs = job.shop.inside("mkfs.btrfs");
    mkfs.args([
        "--quiet",
        "--force",
        "--nodesize",
        "16384",
        "--sectorsize",
        "4096",
        "--metadata",
        "dup",
        "--data",
        "single",
    ]);
    mkfs.args(["--uuid", &filesystem.uuid]);
    if let Some(label) = &filesystem.label {
        mkfs.args(["--label", label]);
    }
    if !filesystem.features.is_empty() {
        mkfs.args(["--features", &filesystem.features.join(",")]);
    }
    mkfs.arg("--rootdir").arg(&job.source).arg(&job.image);
    job.shop.run(STAGE, &mut mkfs).map_err(|error| job.explain(error, filesystem, bytes))
}
