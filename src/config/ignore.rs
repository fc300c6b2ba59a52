//! Exceptions: a finding that somebody accepts, for some images, with a reason, until some day.

use super::date::Date;
use crate::guest::modprobe::matches;
use crate::verdict;
use std::path::{Component, Path, PathBuf};

/// An exception of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The check's id.
    pub check: &'static str,
    /// The images that it is for; all without one.
    pub image: Option<String>,
    /// Why the finding is accepted.
    pub reason: String,
    /// Its last day.
    pub expires: Option<Date>,
    /// `bootworthy.toml:7`.
    pub place: String,
}

impl Ignore {
    /// Whether it is for this image. A pattern without `/` is for file names, one with `/` for paths from `folder`,
    /// the configuration's, or from `/`. `*` matches `/` as well (`man 3 fnmatch`, no flags).
    pub(super) fn concerns(&self, image: &str, folder: &Path) -> bool {
        let Some(pattern) = &self.image else { return true };
        let whole = plain(&std::path::absolute(image).unwrap_or_else(|_| PathBuf::from(image)));
        let is_match = |path: Option<&Path>| path.and_then(Path::to_str).is_some_and(|path| matches(pattern, path));
        if pattern.contains('/') {
            is_match(whole.strip_prefix(plain(folder)).ok()) || is_match(Some(&whole))
        } else {
            is_match(whole.file_name().map(Path::new))
        }
    }

    /// As the verdict takes it.
    pub(super) fn on(&self, today: Option<Date>) -> verdict::Ignore {
        verdict::Ignore {
            check: self.check.to_owned(),
            reason: Some(self.reason.clone()),
            expires: self.expires.map(|day| day.to_string()),
            is_expired: self.expires.zip(today).is_some_and(|(last, today)| today > last),
            place: self.place.clone(),
        }
    }
}

/// The path without `.` and `..`, by name alone: nothing is looked up.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(image: Option<&str>, expires: Option<&str>) -> Ignore {
        Ignore {
            check: "fstab-uuid",
            image: image.map(str::to_owned),
            reason: "r".to_owned(),
            expires: expires.and_then(Date::parse),
            place: "bootworthy.toml:1".to_owned(),
        }
    }

    #[test]
    fn patterns_are_for_names_or_for_paths() {
        for (pattern, image, expected) in [
            (None, "/else/x.qcow2", true),
            (Some("*"), "/else/x.qcow2", true),
            (Some("x.qcow2"), "/else/x.qcow2", true),
            (Some("x.*"), "/repo/images/x.qcow2", true),
            (Some("y.*"), "/repo/images/x.qcow2", false),
            (Some("[a-w]*"), "/repo/x.qcow2", false),
            (Some("images/*.qcow2"), "/repo/images/x.qcow2", true),
            (Some("images/*.qcow2"), "/repo/./images/old/../x.qcow2", true),
            (Some("images/*.qcow2"), "/repo/images/old/x.qcow2", true),
            (Some("images/*.qcow2"), "/else/images/x.qcow2", false),
            (Some("images/*.qcow2"), "/repo/x.qcow2", false),
            (Some("/else/*"), "/else/images/x.qcow2", true),
            (Some("/else/*"), "/repo/x.qcow2", false),
            (Some("X.qcow2"), "/repo/x.qcow2", false),
        ] {
            assert_eq!(ignore(pattern, None).concerns(image, Path::new("/repo")), expected, "{pattern:?} {image}");
        }
    }

    #[test]
    fn the_last_day_is_still_in() {
        for (expires, today, is_expired) in [
            (None, "9999-12-31", false),
            (Some("2026-12-31"), "2026-12-30", false),
            (Some("2026-12-31"), "2026-12-31", false),
            (Some("2026-12-31"), "2027-01-01", true),
            (Some("2026-10-01"), "2026-09-30", false),
            (Some("2026-01-31"), "2026-02-01", true),
            (Some("2024-02-29"), "2024-03-01", true),
        ] {
            let found = ignore(None, expires).on(Date::parse(today)).is_expired;
            assert_eq!(found, is_expired, "{expires:?} {today}");
        }
    }
}
