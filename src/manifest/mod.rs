//! Properties ↔ text: one format per file.

mod claim;
mod glance_json;
pub mod json;
pub mod lint;
mod openstack_cli;
mod read;

pub use claim::{Claim, ClaimValue, Claims, Document, Flavor, Typing};
pub use read::{GLANCE_FIELDS, READERS, Reader, read, read_flavor};

use crate::verdict::property::{Earned, Withheld};
use std::fmt::Write as _;

/// What a manifest is written from.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    /// The image file as the user named it; `None` for a directory or saved facts of one.
    pub file: Option<&'a str>,
    /// Name for people: the distribution's, or the file's.
    pub name: &'a str,
    /// As `qemu-img` and Glance name it; `None` for a directory.
    pub disk_format: Option<&'a str>,
    /// What the image has earned, in table order.
    pub earned: &'a [Earned],
    /// What it has not.
    pub withheld: &'a [Withheld],
}

/// A manifest format.
#[derive(Debug)]
pub struct Format {
    /// The value of `--format`.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// Renders one image.
    pub render: fn(&Manifest<'_>) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[openstack_cli::FORMAT, glance_json::FORMAT];

/// JSON with every character outside printable ASCII as `\uXXXX`: the same value, and harmless on a terminal.
pub fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            ' '..='~' | '\n' => ascii.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_value() {
        for text in ["plain", "caf\u{e9}", "\u{202e}\u{7f}\u{9b}", "\u{1f600}", "a\nb\u{1b}"] {
            let json = ascii_json(&serde_json::to_string(text).unwrap());
            assert!(json.chars().all(|character| matches!(character, ' '..='~')), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
