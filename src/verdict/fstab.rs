//! The rows of fstab as the fstab checks judge them.

use super::spec::{Partition, Spec, Tag};
use super::{Evidence, Tally, View, Weight};
use crate::guest::Mount;

/// Where it is.
pub(super) const PATH: &str = "/etc/fstab";

/// A row, what it names and how much a fault in it weighs.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) mount: &'a Mount,
    pub(super) spec: Spec,
    pub(super) weight: Weight,
}

/// Every row; without any fstab the check does not apply. Rows that could not be read are gaps.
pub(super) fn rows<'a>(view: &View<'a>, tally: &mut Tally) -> Option<Vec<Row<'a>>> {
    let Some(listing) = view.fstab()? else {
        tally.not_applicable("there is no /etc/fstab");
        return None;
    };
    Some(view.all(listing).iter().map(Row::new).collect())
}

/// Whether a row mounts the root; where none does, the image mounts it by other means and proofs mean nothing.
pub(super) fn has_root(rows: &[Row<'_>], tally: &mut Tally) -> bool {
    let has_root = rows.iter().any(Row::is_root);
    if !has_root {
        tally.not_applicable("no row of /etc/fstab mounts the root file system");
    }
    has_root
}

impl<'a> Row<'a> {
    pub(super) fn new(mount: &'a Mount) -> Self {
        // `man 8 mount`: nofail ignores a missing device, noauto is not mounted at boot.
        let is_optional = is_last(mount, "nofail", "fail") || is_last(mount, "noauto", "auto");
        let weight = if is_optional { Weight::Reduced } else { Weight::Full };
        Self { mount, spec: Spec::of_mount(mount), weight }
    }

    pub(super) fn is_root(&self) -> bool {
        self.mount.target == "/"
    }

    /// The partition that a device name means.
    pub(super) fn partition(&self) -> Option<Partition> {
        match self.spec {
            Spec::Device(partition) => partition,
            _ => None,
        }
    }

    /// The tag that the row mounts by.
    pub(super) fn tag(&self) -> Option<Tag> {
        match self.spec {
            Spec::Tag(tag, _) => Some(tag),
            Spec::Offset(..) => Some(Tag::PartUuid),
            _ => None,
        }
    }

    /// Evidence at the row, its first field marked.
    pub(super) fn at_spec(&self, found: impl Into<String>) -> Evidence {
        self.at_field(0, found)
    }

    /// Evidence at the row, one field marked (0 is the device, 3 the options).
    pub(super) fn at_field(&self, field: usize, found: impl Into<String>) -> Evidence {
        let evidence = Evidence::at(PATH, found).line(self.mount.line);
        match split(&self.mount.text, field) {
            Some((_, mark, _)) => evidence.marking(self.mount.text.clone(), mark),
            None => evidence,
        }
    }

    /// The row with one field written anew.
    pub(super) fn with_field(&self, field: usize, text: &str) -> Option<String> {
        let (before, _, after) = split(&self.mount.text, field)?;
        Some(format!("{before}{text}{after}"))
    }
}

/// Of an option and its opposite the last one counts (`fstab_test_yes_no_option` of systemd).
fn is_last(mount: &Mount, option: &str, opposite: &str) -> bool {
    let last = mount.options.iter().rfind(|found| *found == option || *found == opposite);
    last.is_some_and(|found| found == option)
}

/// What stands before a field, the field, and what stands after; `man 5 fstab`: tabs or spaces separate.
fn split(text: &str, field: usize) -> Option<(&str, &str, &str)> {
    let is_blank = |c: char| matches!(c, ' ' | '\t');
    let mut rest = text.trim_start_matches(is_blank);
    for _ in 0..field {
        rest = rest.trim_start_matches(|c| !is_blank(c)).trim_start_matches(is_blank);
    }
    let after = rest.trim_start_matches(|c| !is_blank(c));
    let mark = rest.strip_suffix(after).filter(|mark| !mark.is_empty())?;
    Some((text.strip_suffix(rest)?, mark, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_opposite_options_the_last_counts() {
        for (options, weight) in [
            ("defaults", Weight::Full),
            ("nofail", Weight::Reduced),
            ("nofail,fail", Weight::Full),
            ("fail,nofail", Weight::Reduced),
            ("noauto,auto", Weight::Full),
            ("auto,noauto", Weight::Reduced),
            ("nofail,fail,noauto", Weight::Reduced),
            ("nofail,auto", Weight::Reduced),
            ("x-nofail", Weight::Full),
        ] {
            let mount: Mount = serde_json::from_value(serde_json::json!({
                "line": 1, "text": "", "spec": "UUID=a", "target": "/x", "fstype": "ext4",
                "options": options.split(',').collect::<Vec<_>>(), "freq": 0, "passno": 0
            }))
            .unwrap();
            assert_eq!(Row::new(&mount).weight, weight, "{options}");
        }
    }

    #[test]
    fn a_field_is_written_anew_where_it_stands() {
        let mount: Mount = serde_json::from_str(
            r#"{"line":1,"text":"  /dev/vda1\t/  ext4 defaults / 0","spec":"/dev/vda1","target":"/","fstype":"ext4",
                "options":["defaults"],"freq":0,"passno":1}"#,
        )
        .unwrap();
        let row = Row::new(&mount);
        for (field, expected) in [
            (0, Some("  X\t/  ext4 defaults / 0")),
            (1, Some("  /dev/vda1\tX  ext4 defaults / 0")),
            (3, Some("  /dev/vda1\t/  ext4 X / 0")),
            (6, None),
        ] {
            assert_eq!(row.with_field(field, "X").as_deref(), expected, "{field}");
        }
    }
}
