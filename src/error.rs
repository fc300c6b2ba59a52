//! The one error of the library: what failed, where, why, and what to do next.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The class of an [`Error`], as it stands in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The operating system or the medium failed.
    Io,
    /// The bytes contradict the format's specification.
    Corrupt,
    /// The bytes may be right, but this version does not read them.
    Unsupported,
    /// A bound of `limits.rs` was reached.
    TooLarge,
    /// What was asked for is not there.
    NotFound,
}

/// Why something could not be read: one sentence's worth of place, cause and next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// Class of the failure.
    pub kind: ErrorKind,
    /// What was being read, for example `qcow2 L1 table`.
    pub what: String,
    /// Path inside the image, or the file the user named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Byte offset in the file or disk that `what` belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What was found, and what was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Why it matters, where that is not obvious.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The next step for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` about `what`.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), path: None, offset: None, cause: None, why: None, help: None }
    }

    /// Bytes that contradict the specification of `what`; `cause` says found and expected.
    pub fn corrupt(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, what).because(cause)
    }

    /// A format or feature that this version does not read.
    pub fn unsupported(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, what).because(cause)
    }

    /// A limit that was reached; `cause` names the limit.
    pub fn too_large(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(ErrorKind::TooLarge, what).because(cause)
    }

    /// Something that is not there.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, what)
    }

    /// A failure of the operating system or the medium.
    pub fn io(what: impl Into<String>, source: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Io, what).because(source.to_string())
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds the path, unless one stands already (the innermost is the most exact).
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path.get_or_insert_with(|| path.into());
        self
    }

    /// Adds the byte offset.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset.get_or_insert(offset);
        self
    }

    /// Adds why it matters.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_place_then_cause() {
        let error = Error::corrupt("qcow2 L1 table", "entry 3 points past the end").at("disk.qcow2").offset(512);
        assert_eq!(error.to_string(), "disk.qcow2: qcow2 L1 table at byte 512: entry 3 points past the end");
    }
}
