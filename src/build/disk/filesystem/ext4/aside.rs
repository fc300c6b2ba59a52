//! Takes large files out of a tree, as the tree's root: it answers with the numbers of those that have left.

use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _, stdout};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Bytes of the list, a line per file.
const MAX_LIST: u64 = 64 * MIB;

/// Moves each file that `list` names below `source` to its number in `target`; what has extended attributes stays.
///
/// # Errors
/// Of the operating system.
pub(in crate::build) fn set_aside(source: &Path, list: &Path, target: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::io("large files", error);
    let list = read_capped(&mut File::open(list).map_err(failed)?, MAX_LIST, "list of large files")?;
    fs::create_dir(target).map_err(failed)?;
    for (number, name) in list.split(|byte| *byte == b'\n').enumerate() {
        let path = source.join(OsStr::from_bytes(name));
        if has_attributes(&path).map_err(|error| failed(error.into()))? {
            continue;
        }
        move_out(&path, &target.join(number.to_string()))
            .map_err(|error| failed(error).at(path.display().to_string()))?;
        writeln!(stdout(), "{number}").map_err(failed)?;
    }
    Ok(())
}

fn has_attributes(path: &Path) -> Result<bool, Errno> {
    let mut first = [0_u8; 1];
    match rustix::fs::llistxattr(path, &mut first) {
        Ok(bytes) => Ok(bytes > 0),
        // There are more of their names than fit.
        Err(Errno::RANGE) => Ok(true),
        Err(Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The folder's own time stays: it becomes a part of the image.
fn move_out(path: &Path, target: &Path) -> io::Result<()> {
    let folder = File::open(path.parent().unwrap_or(Path::new(".")))?;
    let time = folder.metadata()?.modified()?;
    fs::rename(path, target)?;
    folder.set_modified(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_leaves_its_folder_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("tree"), folder.path().join("large"));
        fs::create_dir_all(source.join("usr/lib")).unwrap();
        fs::write(source.join("usr/lib/a b"), "x").unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        File::open(source.join("usr/lib")).unwrap().set_modified(time).unwrap();
        fs::write(folder.path().join("list"), "usr/lib/a b").unwrap();
        set_aside(&source, &folder.path().join("list"), &target).unwrap();
        assert_eq!(fs::read(target.join("0")).unwrap(), b"x");
        assert_eq!(fs::read_dir(source.join("usr/lib")).unwrap().count(), 0);
        assert_eq!(fs::metadata(source.join("usr/lib")).unwrap().modified().unwrap(), time);
    }
}
