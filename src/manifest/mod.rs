//! Properties → text that the `openstack` client and Glance take.

mod glance_json;
mod openstack_cli;

use crate::verdict::Report;
use std::fmt::Write as _;

/// A manifest format.
#[derive(Debug)]
pub struct Format {
    /// Value of `--format`.
    pub name: &'static str,
    /// What takes it.
    pub summary: &'static str,
    /// Renders what an image has earned.
    pub write: fn(&Report) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[openstack_cli::FORMAT, glance_json::FORMAT];

/// The format with this name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// Glance's `disk_format` of an image file; `None` for a directory, which cannot be uploaded.
fn disk_format(report: &Report) -> Option<&str> {
    let image = report.guest.as_ref()?.image.known()?;
    (image.format != "directory").then_some(image.format.as_str())
}

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
