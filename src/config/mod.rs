//! `bootworthy.toml` (TOML 1.1) → what a project asks of its images. The command line beats it; lists add up.

mod date;
mod find;
mod ignore;
mod key;
mod node;
mod policy;
mod schema;

pub use date::Date;
pub use find::NAME;
pub use ignore::Ignore;
pub use key::{KEYS, Key};
pub use schema::schema;

use crate::bytes::text;
use crate::error::Result;
use crate::verdict;
use crate::verdict::profile::Severity;
use crate::verdict::property::{Choice, Set};
use node::Source;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// What a configuration file says; the default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The file, as reports name it; `None` where there is none.
    pub name: Option<String>,
    /// The folder of the file.
    pub folder: PathBuf,
    /// A name of [`verdict::profile::PROFILES`].
    pub profile: Option<&'static str>,
    /// Names of [`verdict::feature::FEATURES`] that an image can have.
    pub require: Vec<&'static str>,
    /// Modules.
    pub require_in_initrd: Vec<String>,
    /// The lightest severity that fails the run.
    pub fail_on: Option<Severity>,
    /// Severities of checks by id.
    pub severities: Vec<(String, Severity)>,
    /// Findings that are accepted, in the order of the file.
    pub ignores: Vec<Ignore>,
    /// Which properties are looked at.
    pub set: Option<Set>,
    /// Properties one by one; its set is `set`'s business.
    pub choice: Choice,
    /// Promises by Glance's key.
    pub policy: BTreeMap<&'static str, String>,
}

impl Config {
    /// Reads the file that the user named.
    ///
    /// # Errors
    /// With file and line, where it cannot be read, is no TOML, or says what does not exist.
    pub fn named(path: &Path) -> Result<Self> {
        let text = find::read_named(path)?;
        let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        Self::parse(&shown(path), &text, &folder.unwrap_or_default())
    }

    /// Looks for the file in the current directory and above, never inside the directories among `images`; without one,
    /// the configuration that says nothing. A current directory that is gone has none above it.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub fn found(images: &[PathBuf]) -> Result<Self> {
        let Ok(start) = std::env::current_dir() else { return Ok(Self::default()) };
        let trees: Vec<(u64, u64)> = images.iter().filter_map(|image| find::identity(image)).collect();
        let Some(found) = find::find(&start, &trees)? else { return Ok(Self::default()) };
        Self::parse(&shown(&found.name), &found.read()?, &found.folder)
    }

    /// Parses the text of a file; `name` is for errors and reports.
    ///
    /// # Errors
    /// With file and line, where it is no TOML or says what does not exist.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self> {
        let source = Source { name, text };
        let document = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            source.error(offset, format!("this is not TOML: {}", error.message().replace('\n', ", ")))
        })?;
        let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        let mut config = Self { name: Some(name.to_owned()), folder: folder.to_owned(), ..Self::default() };
        for row in source.rows(document.get_ref()) {
            let key = KEYS.iter().find(|key| key.name == row.key).ok_or_else(|| row.unknown("key", &known))?;
            (key.read)(&mut config, &row.value)?;
        }
        Ok(config)
    }

    /// The exceptions for one image or manifest, by the names that the user gave them, on this day. Without a day none
    /// has expired: see [`Self::expires`].
    pub fn ignores(&self, names: &[&str], today: Option<Date>) -> Vec<verdict::Ignore> {
        let concerns = |ignore: &&Ignore| names.iter().any(|name| ignore.concerns(name, &self.folder));
        let these = self.ignores.iter().filter(concerns);
        these.map(|ignore| ignore.on(today)).collect()
    }

    /// Whether an exception ends on some day, so that it matters which day it is.
    pub fn expires(&self) -> bool {
        self.ignores.iter().any(|ignore| ignore.expires.is_some())
    }
}

fn shown(path: &Path) -> String {
    text(path.as_os_str().as_bytes())
}
