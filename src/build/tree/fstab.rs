//! `/etc/fstab` (man 5 fstab).

use super::Root;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The whole of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// In mount order.
    pub rows: Vec<Row>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// `UUID=…`.
    pub spec: String,
    /// Where it is mounted; the folder is made where it is missing.
    pub mount: String,
    /// `ext4`, `xfs`, `btrfs`, `vfat`.
    pub filesystem: String,
    /// Never empty: `defaults`, `discard,errors=remount-ro`.
    pub options: String,
    /// Always 0: dump is gone.
    pub dump: u8,
    /// 1 for the root, 2 for others, 0 where fsck has nothing to do.
    pub pass: u8,
}

/// Carries it out.
///
/// # Errors
/// When it cannot be written.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply("fstab", &Stage::Fstab(options.clone()), shop)
}

/// What the file begins with.
const HEAD: &str = "# Written by bootworthy build; man 5 fstab.\n";

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    for row in &options.rows {
        root.make_folder(&row.mount)?;
    }
    root.write("/etc/fstab", text(options).as_bytes())
}

fn text(options: &Options) -> String {
    let line = |row: &Row| {
        let words = [&row.spec, &row.mount, &row.filesystem, &row.options].map(|word| escaped(word));
        format!("{} {} {}\n", words.join(" "), row.dump, row.pass)
    };
    options.rows.iter().fold(HEAD.to_owned(), |text, row| text + &line(row))
}

/// What would end a word or a line, as `getmntent(3)` reads it back.
fn escaped(word: &str) -> String {
    let escape = |c: char| match c {
        ' ' => "\\040".to_owned(),
        '\t' => "\\011".to_owned(),
        '\n' => "\\012".to_owned(),
        '\\' => "\\134".to_owned(),
        '#' => "\\043".to_owned(),
        other => other.to_string(),
    };
    word.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lines() {
        let row = |spec: &str, mount: &str| Row {
            spec: spec.into(),
            mount: mount.into(),
            filesystem: "ext4".into(),
            options: "discard,errors=remount-ro".into(),
            dump: 0,
            pass: 1,
        };
        let options = Options { rows: vec![row("UUID=4a1f", "/"), row("LABEL=a b", "/srv/a\tb")] };
        assert_eq!(
            text(&options),
            format!(
                "{HEAD}UUID=4a1f / ext4 discard,errors=remount-ro 0 1\nLABEL=a\\040b /srv/a\\011b ext4 discard,errors=remount-ro 0 1\n"
            )
        );
    }
}
