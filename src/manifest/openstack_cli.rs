//! An `openstack image create` line (python-openstackclient), quoted for a POSIX shell.

use super::{Format, Manifest};
use std::fmt::Write as _;

pub(super) const FORMAT: Format =
    Format { name: "openstack", summary: "an `openstack image create` line for a shell", render };

/// Columns after which the line is continued with a backslash.
const WIDTH: usize = 110;

fn render(manifest: &Manifest<'_>) -> String {
    let mut words = vec!["openstack image create".to_owned()];
    if let Some(format) = manifest.disk_format {
        words.push(format!("--disk-format {format} --container-format bare"));
    }
    words.extend(manifest.file.map(|file| format!("--file {}", quote(&path(file)))));
    for earned in manifest.earned {
        // min_disk and min_ram are options of their own.
        words.push(if earned.is_integer {
            format!("--{} {}", earned.key.replace('_', "-"), quote(&earned.value))
        } else {
            format!("--property {}", quote(&format!("{}={}", earned.key, earned.value)))
        });
    }
    // The client's parser has no reliable end of options, and no name needs a leading dash.
    words.push(quote(manifest.name.trim_start_matches('-')));
    let mut text = String::new();
    for withheld in manifest.withheld {
        let value = withheld.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        let check = withheld.check.map(|check| format!(" ({check})")).unwrap_or_default();
        text += &comment(&format!("withheld: {}{value}: {}{check}", withheld.key, withheld.reason));
    }
    text + &folded(&words)
}

/// A name that begins with a dash would be taken for an option.
fn path(file: &str) -> String {
    if file.starts_with('-') { format!("./{file}") } else { file.to_owned() }
}

/// One shell comment of printable ASCII, whatever the text holds; all else as `\u{…}`.
fn comment(text: &str) -> String {
    let seen = |c: char| matches!(c, ' '..='~');
    let safe: String =
        text.chars().map(|c| if seen(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect();
    format!("# {safe}\n")
}

fn folded(words: &[String]) -> String {
    let mut text = String::new();
    let mut column = 0_usize;
    for word in words {
        let width = word.chars().count().saturating_add(1);
        if column > 0 && column.saturating_add(width) > WIDTH {
            text += " \\\n  ";
            column = 2;
        } else if column > 0 {
            text.push(' ');
        }
        text += word;
        column = column.saturating_add(width);
    }
    text + "\n"
}

/// The word as a shell reads it back, byte for byte: bare, `'…'`, or `$'…'` where it holds what cannot be seen
/// (POSIX.1-2024, 2.2.4; bash and zsh had it before).
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if word.chars().all(|c| matches!(c, ' '..='~')) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut quoted = "$'".to_owned();
    for byte in word.bytes() {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            // Octal takes exactly three digits: what follows cannot be drawn in.
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::property::{Earned, Withheld};

    #[test]
    fn words_survive_the_shell() {
        for (word, quoted) in [
            ("scsi", "scsi"),
            ("", "''"),
            ("Debian 13", "'Debian 13'"),
            ("$(reboot)`id`", "'$(reboot)`id`'"),
            ("it's", "'it'\\''s'"),
            ("~root", "'~root'"),
            ("a;b|c&d>e*f?g[h]!#", "'a;b|c&d>e*f?g[h]!#'"),
            ("a\nb", "$'a\\012b'"),
            ("\u{1}7", "$'\\0017'"),
            ("caf\u{e9} '\\\u{202e}", "$'caf\\303\\251 \\'\\\\\\342\\200\\256'"),
        ] {
            assert_eq!(quote(word), quoted);
            assert_eq!(bash(quoted), word.as_bytes(), "{quoted}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "bash is the reference for what a word means")]
    fn bash(word: &str) -> Vec<u8> {
        std::process::Command::new("bash").args(["-c", &format!("printf %s {word}")]).output().unwrap().stdout
    }

    #[test]
    fn comments_stay_comments() {
        let withheld = [Withheld {
            key: "hw_disk_bus",
            value: Some("scsi".to_owned()),
            check: Some("initrd-virtio-scsi"),
            reason: "x\nrm -rf /\r".to_owned(),
        }];
        let earned = [Earned { key: "min_disk", value: "10".to_owned(), is_integer: true, evidence: &[] }];
        let manifest = Manifest {
            file: Some("-d.qcow2"),
            name: "-x",
            disk_format: Some("raw"),
            earned: &earned,
            withheld: &withheld,
        };
        assert_eq!(
            render(&manifest),
            "# withheld: hw_disk_bus=scsi: x\\u{a}rm -rf /\\u{d} (initrd-virtio-scsi)\n\
             openstack image create --disk-format raw --container-format bare --file ./-d.qcow2 --min-disk 10 x\n"
        );
    }
}
