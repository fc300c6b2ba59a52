//! Files that appear together or not at all: each is written beside its target, then all are renamed, the image last.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// An image and what stands beside it.
#[derive(Debug)]
pub struct Outputs {
    image: PathBuf,
    target: PathBuf,
    files: Vec<(PathBuf, String)>,
}

impl Outputs {
    /// The image, from its file in the work folder to its target.
    pub(super) fn new(image: &Path, target: &Path) -> Self {
        Self { image: image.to_owned(), target: target.to_owned(), files: Vec::new() }
    }

    pub(super) fn add(&mut self, path: PathBuf, text: String) {
        self.files.push((path, text));
    }

    /// Where everything will stand, the image first.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.target.as_path()).chain(self.files.iter().map(|(path, _)| path.as_path()))
    }

    /// Writes everything; `copy` brings the image to another file system where it cannot be renamed.
    ///
    /// # Errors
    /// The first file that cannot be written; then what stood under the names stands there still.
    pub fn settle(&self, copy: &dyn Fn(&Path, &Path) -> Result<()>) -> Result<()> {
        let written = self.parts(copy).and_then(|()| self.rename());
        if written.is_err() {
            self.paths().for_each(|path| drop(fs::remove_file(part(path))));
        }
        written
    }

    fn parts(&self, copy: &dyn Fn(&Path, &Path) -> Result<()>) -> Result<()> {
        for (path, text) in &self.files {
            let mut file = File::create(part(path)).map_err(|error| failed(path, error))?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| failed(path, error))?;
        }
        let beside = part(&self.target);
        match fs::rename(&self.image, &beside) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy(&self.image, &beside)?,
            other => other.map_err(|error| failed(&self.target, error))?,
        }
        let synced = File::open(&beside).and_then(|file| file.sync_all());
        synced.map_err(|error| failed(&self.target, error))
    }

    fn rename(&self) -> Result<()> {
        // The image last: whoever sees it finds the others.
        let files = self.files.iter().map(|(path, _)| path.as_path());
        files
            .chain([self.target.as_path()])
            .try_for_each(|path| fs::rename(part(path), path).map_err(|error| failed(path, error)))
    }
}

/// The name under which a file is written before it has its own; always the same, so that the next build replaces what a
/// killed one left.
fn part(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.bootworthy-part"))
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::io("cannot write it", error).at(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_appears_or_nothing() {
        let folder = std::env::temp_dir().join(format!("bootworthy-outputs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (made, target) = (folder.join("made"), folder.join("disk.raw"));
        let copy = |_: &Path, _: &Path| Ok(());
        fs::write(&made, "image").unwrap();
        let mut outputs = Outputs::new(&made, &target);
        outputs.add(folder.join("nowhere/x"), "x".to_owned());
        outputs.add(folder.join("sum"), "s".to_owned());
        assert!(outputs.settle(&copy).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "only what was made before");
        let mut outputs = Outputs::new(&made, &target);
        outputs.add(folder.join("sum"), "s".to_owned());
        outputs.settle(&copy).unwrap();
        let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["disk.raw", "sum"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
