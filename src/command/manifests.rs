//! The manifests that images are judged with: read before an image is, and told apart by name.

use super::Usage;
use super::images::shown;
use crate::bytes::{from_io, read_capped};
use crate::error::{Error, Result};
use crate::limits::MAX_MANIFEST;
use crate::manifest::{self, Claims, Document, READERS, Typing};
use crate::report::nearest;
use clap::builder::PossibleValuesParser;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Which manifest claims what of which image.
#[derive(Debug, clap::Args)]
pub(super) struct Manifests {
    /// Judge what it claims of the image (once, or per image)
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// Which of the manifest's images it is (once per image)
    #[arg(long, value_name = "NAME", requires = "manifest")]
    definition: Vec<String>,
    /// Format of the manifest, where it is not to be guessed
    #[arg(long, value_name = "FORMAT", requires = "manifest", hide_possible_values = true, value_parser = PossibleValuesParser::new(READERS.iter().map(|reader| reader.name)))]
    from: Option<String>,
}

impl Manifests {
    /// For each image, in order, the manifest with what it says of this image alone; nothing where none is named.
    ///
    /// # Errors
    /// For manifests that cannot be read, and as a mistake of the user where it is not clear which image is meant.
    pub(super) fn of(&self, images: &[PathBuf]) -> anyhow::Result<Vec<Document>> {
        let count = images.len();
        if self.manifest.is_empty() {
            return Ok(Vec::new());
        }
        let per_image = |what: &str, given: usize| {
            Usage(format!("{given} {what} for {count} images; give one for each image, in their order, or one for all"))
        };
        for (what, given) in [("--manifest", self.manifest.len()), ("--definition", self.definition.len())] {
            if given > 1 && given != count {
                return Err(per_image(what, given).into());
            }
        }
        if self.definition.len() == 1 && count > 1 {
            return Err(Usage(format!(
                "--definition {}: name one for each of the {count} images",
                self.definition.concat()
            ))
            .into());
        }
        let read = |path: &PathBuf| self.read(path);
        let documents = self.manifest.iter().map(read).collect::<Result<Vec<_>>>()?;
        let is_own = documents.len() == count;
        let mut found = Vec::with_capacity(count);
        for (index, image) in images.iter().enumerate() {
            let document = documents.get(index).filter(|_| is_own).or(documents.first());
            let name = self.definition.get(index).map(String::as_str);
            found.extend(document.map(|document| only(document, name, image, is_own)).transpose()?);
        }
        Ok(found)
    }

    fn read(&self, path: &Path) -> Result<Document> {
        manifest::read(&shown(path), &read_text(path, "manifest")?, self.from.as_deref())
    }
}

/// The document with the one definition that is meant for an image.
fn only(document: &Document, name: Option<&str>, image: &Path, is_own: bool) -> Result<Document, Usage> {
    let whole = document.images.as_slice();
    let fits = |claims: &&Claims| match (name, called(claims)) {
        (Some(name), called) => called.is_some_and(|called| called == name),
        (None, Some(called)) => is_called_like(&called, image),
        (None, None) => false,
    };
    let claims = match (name, whole) {
        (None, [claims]) if is_own => claims,
        _ => match whole.iter().filter(fits).collect::<Vec<_>>().as_slice() {
            [claims] => *claims,
            found => return Err(unclear(document, name, image, found.len())),
        },
    };
    Ok(Document { images: vec![claims.clone()], ..document.clone() })
}

fn called(claims: &Claims) -> Option<String> {
    claims.name.as_ref()?.sent(Typing::Lower)
}

/// Whether the name is the file's, with or without its ending; only letters and digits count: `Debian 13` is
/// `debian-13.qcow2`.
fn is_called_like(name: &str, image: &Path) -> bool {
    let plain = |text: &str| text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let name = plain(name);
    let parts = [image.file_name(), image.file_stem()];
    parts.into_iter().flatten().any(|part| !name.is_empty() && plain(&part.to_string_lossy()) == name)
}

fn unclear(document: &Document, name: Option<&str>, image: &Path, found: usize) -> Usage {
    let (path, names) = (&document.path, document.images.iter().filter_map(called).collect::<Vec<_>>());
    let known = || {
        if names.is_empty() { "none of them has a name".to_owned() } else { format!("there are {}", names.join(", ")) }
    };
    let many = if found == 0 { "no".to_owned() } else { found.to_string() };
    let images = if found == 1 { "image" } else { "images" };
    Usage(match name {
        Some(name) => {
            let near = nearest(name, names.iter().map(String::as_str));
            let near = near.map_or_else(known, |near| format!("did you mean {near}?"));
            format!("--definition {name}: {path} has {many} {images} of this name; {near}")
        }
        None => format!(
            "{path} has {many} {images} called like {}; say which with --definition NAME, or give a --manifest for each image; {}",
            shown(image),
            known()
        ),
    })
}

/// The text of a file that the user named; `-` is standard input.
///
/// # Errors
/// When it cannot be read, is too large, or no UTF-8.
pub(super) fn read_text(path: &Path, what: &str) -> Result<String> {
    let name = shown(path);
    let opened = |error| from_io(error, what).at(name.clone());
    let mut input: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(opened)?) };
    let bytes = read_capped(&mut *input, MAX_MANIFEST, what).map_err(|error| error.at(name.clone()))?;
    let found =
        |error: std::string::FromUtf8Error| Error::corrupt(what, format!("it is no UTF-8: {error}")).at(name.clone());
    String::from_utf8(bytes).map_err(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_that_are_alike() {
        for (name, image, is_alike) in [
            ("Debian 13", "images/debian-13.qcow2", true),
            ("debian-13.qcow2", "debian-13.qcow2", true),
            ("debian_13", "debian-13.qcow2", true),
            ("Debian 1", "debian-13.qcow2", false),
            ("Debian 13", "debian-13.x86_64.qcow2", false),
            ("--", "--.qcow2", false),
        ] {
            assert_eq!(is_called_like(name, Path::new(image)), is_alike, "{name} {image}");
        }
    }
}
