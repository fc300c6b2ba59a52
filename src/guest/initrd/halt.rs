//! Why the walk over an initrd ends early, in Linux's own words where it has some.

use crate::error::Error;
use crate::fact::{Flaw, Gap};

/// Why the walk ends before the end of the file.
#[derive(Debug)]
pub(super) enum Halt {
    /// Linux stops here: what follows is not unpacked.
    Refused(Flaw),
    /// Linux notices nothing, and what it has unpacked is not what was packed.
    Damaged(Flaw),
    /// Not read by this version, past a limit, or the medium failed.
    Unread(Gap),
}

impl Halt {
    /// Linux stops with `message` at byte `offset` of the file or, where `is_packed`, of what a segment unpacks to.
    pub(super) fn refused(id: &str, place: Place, message: &str, found: &str) -> Self {
        let found = if found.is_empty() { String::new() } else { format!(": {found}") };
        Self::Refused(Flaw { id: id.into(), found: format!("{place}: Linux says {message:?}{found}"), fatal: true })
    }

    /// What this version does not read.
    pub(super) fn unread(error: Error) -> Self {
        Self::Unread(error.into())
    }

    /// Damage that Linux does not notice.
    pub(super) fn damaged(id: &str, place: Place, found: &str) -> Self {
        Self::Damaged(Flaw {
            id: id.into(),
            found: format!("{place}: {found}, and Linux does not notice"),
            fatal: false,
        })
    }
}

/// A byte of the file, or of what the segment there unpacks to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) offset: u64,
    /// Counted after unpacking.
    pub(super) is_packed: bool,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", if self.is_packed { "unpacked byte" } else { "byte" }, self.offset)
    }
}
