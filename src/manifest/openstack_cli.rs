//! The `openstack image create` line (python-openstackclient, image create), quoted for a POSIX shell or bash.

use super::{Format, disk_format};
use crate::verdict::Report;
use std::fmt::Write as _;

pub(super) const FORMAT: Format = Format { name: "openstack", summary: "an `openstack image create` line", write };

fn write(report: &Report) -> String {
    let mut words: Vec<String> = Vec::new();
    if let Some(format) = disk_format(report) {
        words.extend([format!("--disk-format {}", quoted(format)), "--container-format bare".to_owned()]);
        words.push(format!("--file {}", quoted(&file(&report.path))));
    }
    for property in &report.earned {
        words.push(match property.key {
            "min_disk" => format!("--min-disk {}", quoted(&property.value)),
            key => format!("--property {}", quoted(&format!("{key}={}", property.value))),
        });
    }
    words.push(quoted(&name(report)));
    let withheld = report.withheld.iter().map(|property| {
        let value = property.value.as_deref().map(|value| format!("={value}")).unwrap_or_default();
        let check = property.check.map(|check| format!(" ({check})")).unwrap_or_default();
        format!("# withheld: {}\n", plain(&format!("{}{value}{check}: {}", property.key, property.reason)))
    });
    let comments: String = withheld.collect();
    format!("{comments}openstack image create {}\n", words.join(" \\\n  "))
}

/// A path that starts with a dash would be taken for an option.
fn file(path: &str) -> String {
    if path.starts_with('-') { format!("./{path}") } else { path.to_owned() }
}

/// The image's name in Glance: what os-release calls it, else the file's name; never an option.
fn name(report: &Report) -> String {
    let os = report.guest.as_ref().and_then(|guest| guest.os.known());
    let pretty = os.and_then(|os| os.pretty_name.as_deref()).map(plain).unwrap_or_default();
    let file = report.path.rsplit('/').next().unwrap_or_default().to_owned();
    let names = [pretty, file].map(|name| name.trim_start_matches(['-', ' ']).to_owned());
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "image".to_owned())
}

/// Printable ASCII; all else as `\u{…}`, so that a comment stays a comment and a terminal stays calm.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => plain.push(character),
            _ => {
                let _ = write!(plain, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    plain
}

/// One word of the shell: bare where nothing in it is special, `'…'` otherwise, bash's `$'…'` where it holds what
/// cannot be seen (POSIX.1-2024, 2.2.4).
fn quoted(text: &str) -> String {
    let is_bare =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '=' | ':' | '@' | '%' | '+' | ',');
    let is_seen = |c: char| matches!(c, ' '..='~');
    if !text.is_empty() && text.chars().all(is_bare) {
        return text.to_owned();
    }
    if text.chars().all(is_seen) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut word = "$'".to_owned();
    for byte in text.bytes() {
        match byte {
            b'\'' | b'\\' => word.extend(['\\', char::from(byte)]),
            b' '..=b'~' => word.push(char::from(byte)),
            // Octal takes exactly three digits: what follows cannot be drawn in.
            _ => {
                let _ = write!(word, "\\{byte:03o}");
            }
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[(&str, &str)] = &[
        ("debian-13.qcow2", "debian-13.qcow2"),
        ("", "''"),
        ("Debian 13", "'Debian 13'"),
        ("it's", "'it'\\''s'"),
        ("$(reboot)`id`;#", "'$(reboot)`id`;#'"),
        ("a\nb", "$'a\\012b'"),
        ("caf\u{e9} '\\\u{202e}", "$'caf\\303\\251 \\'\\\\\\342\\200\\256'"),
        ("\u{1}7", "$'\\0017'"),
        ("~root", "'~root'"),
    ];

    #[test]
    fn words_for_the_shell() {
        for (text, word) in WORDS {
            assert_eq!(quoted(text), *word, "{text:?}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "bash is the reference for what a quoted word means")]
    fn bash_reads_back_what_was_quoted() {
        for (text, word) in WORDS {
            let output =
                std::process::Command::new("bash").args(["-c", &format!("printf %s {word}")]).output().unwrap();
            assert_eq!(output.stdout, text.as_bytes(), "{word}");
        }
    }

    #[test]
    fn comments_stay_comments() {
        assert_eq!(plain("a\nreboot\u{1b}[m\u{e9}"), "a\\u{a}reboot\\u{1b}[m\\u{e9}");
        assert_eq!(file("-x.qcow2"), "./-x.qcow2");
    }
}
