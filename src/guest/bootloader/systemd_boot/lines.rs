//! Lines of loader.conf, of entries and of os-release as systemd-boot reads them (systemd, `src/boot/boot.c`,
//! `line_get_key_value`).

use crate::bytes::text;

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::guest::bootloader) struct Pair {
    /// From 1.
    pub(in crate::guest::bootloader) line: u32,
    pub(in crate::guest::bootloader) key: String,
    pub(in crate::guest::bootloader) value: String,
}

/// The pairs of a file, key and value parted by any of `separators`. Lines without a value are passed over; a NUL ends
/// the file.
pub(in crate::guest::bootloader) fn pairs(bytes: &[u8], separators: &[char]) -> Vec<Pair> {
    const BLANK: [char; 2] = [' ', '\t'];
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let content = text(bytes.get(..end).unwrap_or_default());
    let numbered = content.split('\n').zip(1_u32..);
    let lines = numbered.flat_map(|(line, number)| line.split('\r').map(move |part| (part, number)));
    let pair = |(line, number): (&str, u32)| {
        let line = line.trim_matches(BLANK);
        let (key, value) = line.split_once(separators).filter(|_| !line.starts_with('#'))?;
        let value = value.trim_start_matches(separators);
        let inner = value.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest));
        let value = inner.filter(|_| line.ends_with('"')).unwrap_or(value);
        Some(Pair { line: number, key: key.to_owned(), value: value.to_owned() })
    };
    lines.filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_systemd_boot_reads_them() {
        for (source, expected) in [
            ("linux /vmlinuz\n", Some(("linux", "/vmlinuz"))),
            ("  linux \t /vmlinuz  \r\n", Some(("linux", "/vmlinuz"))),
            ("options a=\"b c\" d\n", Some(("options", "a=\"b c\" d"))),
            ("title \"My Linux\"", Some(("title", "My Linux"))),
            ("title \"", Some(("title", ""))),
            ("title \"half", Some(("title", "\"half"))),
            ("# linux /x\n", None),
            ("linux\n", None),
            ("\0linux /x\n", None),
            (" \t\n", None),
        ] {
            let found = pairs(source.as_bytes(), &[' ', '\t']);
            assert_eq!(found.first().map(|it| (it.key.as_str(), it.value.as_str())), expected, "{source:?}");
        }
        let release = pairs(b"ID=arch\nPRETTY_NAME=\"Arch Linux\"\n", &['=']);
        assert_eq!((release[1].line, release[1].value.as_str()), (2, "Arch Linux"));
    }
}
