//! Files that features and the recipe put into the tree.

use super::Root;
use super::accounts::Accounts;
use crate::build::plan::{Mode, Stage};
use crate::build::workshop::Workshop;
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::GIB;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What is written, in this order; a later file replaces an earlier one of the same path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The files.
    pub files: Vec<File>,
}

/// A file; one of `text` and `source` is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Absolute path in the image, without `..`.
    pub path: String,
    /// Its permissions.
    pub mode: Mode,
    /// `user:group` by the image's own names.
    pub owner: String,
    /// The whole of it.
    pub text: Option<String>,
    /// A file of the host, absolute, or relative to the recipe's folder.
    pub source: Option<String>,
    /// SHA-256 of `source` when the plan was made: part of what the stage is known by.
    pub sha256: Option<String>,
    /// Who wants it: `watchdog`, or `recipe`.
    pub by: String,
}

/// Bytes of a file of the host: what is larger is no configuration.
const MAX_SOURCE: u64 = GIB;

/// Writes them.
///
/// # Errors
/// A source that is gone or has changed since the plan was made, a user that the image does not have.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    let mut options = options.clone();
    for source in options.files.iter_mut().filter_map(|file| file.source.as_mut()) {
        // The process that writes stands in another folder.
        let absolute = std::path::absolute(&*source).map_err(|error| Error::io("file", error).at(source.clone()))?;
        *source = absolute.to_string_lossy().into_owned();
    }
    super::apply("files", &Stage::Files(options), shop)
}

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    let accounts = Accounts::read(root)?;
    options.files.iter().try_for_each(|file| write(file, &accounts, root))
}

fn write(file: &File, accounts: &Accounts, root: &Root) -> Result<()> {
    let owner = accounts.owner(&file.owner).ok_or_else(|| {
        Error::not_found(format!("owner {:?} of {}", file.owner, file.path))
            .because("the image has no such user or group")
            .help("name a package that makes it, or numbers as in \"0:0\"")
    })?;
    let bytes = match (&file.text, &file.source) {
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(source)) => read(source, file.sha256.as_deref())?,
        _ => return Err(Error::corrupt("file", "expected one of text and source").at(file.path.clone())),
    };
    root.write_as(&file.path, &bytes, file.mode.0, owner)
}

fn read(source: &str, sha256: Option<&str>) -> Result<Vec<u8>> {
    let mut file = std::fs::File::open(source).map_err(|error| Error::io("cannot read", error).at(source))?;
    let bytes = read_capped(&mut file, MAX_SOURCE, "file").map_err(|error| error.at(source))?;
    let found = crate::build::source::hex(&Sha256::digest(&bytes));
    match sha256 {
        Some(expected) if expected != found => {
            let cause = format!("its SHA-256 is {found}, and was {expected} when the plan was made");
            Err(Error::corrupt("file", cause).at(source).help("run the build again"))
        }
        _ => Ok(bytes),
    }
}
