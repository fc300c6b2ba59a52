//! Lines of modprobe.d → rules, as `kmod_config_parse` of `libkmod/libkmod-config.c` reads them.

use super::folders::{Body, Folder, in_order};
use crate::bytes::text;
use crate::fact::{Gap, Listing};
use crate::guest::ModprobeRule;

/// The rules of `folders`, at most `most`, in the order in which kmod reads them.
pub(crate) fn rules_in(folders: Vec<Folder>, gaps: Vec<Gap>, most: usize) -> Listing<ModprobeRule> {
    let mut found = Listing { items: Vec::new(), gaps };
    for (path, body) in in_order(folders) {
        match body {
            Body::Text(bytes) => found.items.extend(parse(&path, &bytes)),
            Body::Mask => {}
            Body::Unread(gap) => found.gaps.push(gap),
        }
        if found.items.len() > most {
            found.items.truncate(most);
            found.gaps.push(Gap::at(path, format!("more than the limit of {most} rules")));
            break;
        }
    }
    found
}

/// The rules of one file; lines that kmod ignores are none.
pub fn parse(path: &str, bytes: &[u8]) -> Vec<ModprobeRule> {
    lines(bytes).into_iter().filter_map(|(number, line)| rule(path, number, &line)).collect()
}

/// `freadline_wrapped`: a backslash joins the next line, or stands for the character behind it.
fn lines(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut lines = Vec::new();
    let (mut line, mut start, mut number) = (Vec::new(), 1_u32, 1_u32);
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        let (byte, is_escaped) = if byte == b'\\' { (bytes.next(), true) } else { (Some(byte), false) };
        match byte {
            Some(b'\n') => {
                number = number.saturating_add(1);
                if !is_escaped {
                    lines.push((start, std::mem::take(&mut line)));
                    start = number;
                }
            }
            Some(byte) => line.push(byte),
            None => {}
        }
    }
    if !line.is_empty() {
        lines.push((start, line));
    }
    lines
}

fn rule(path: &str, line: u32, bytes: &[u8]) -> Option<ModprobeRule> {
    // A C string ends at the first NUL.
    let line_text = text(bytes.split(|byte| *byte == 0).next()?);
    if line_text.starts_with('#') {
        return None;
    }
    let (command, rest) = word(&line_text)?;
    let (module, rest) = word(rest)?;
    let rest = match command {
        "blacklist" => String::new(),
        "alias" => kmod_name(word(rest)?.0)?,
        "options" if !rest.is_empty() => rest.replace('\t', " "),
        "install" | "remove" | "softdep" | "weakdep" if !rest.is_empty() => rest.to_owned(),
        _ => return None,
    };
    Some(ModprobeRule { command: command.to_owned(), module: kmod_name(module)?, rest, path: path.to_owned(), line })
}

/// `strtok_r(line, "\t ")`: the next word, and what stands behind the one blank that ends it.
fn word(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches([' ', '\t']);
    let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    (!word.is_empty()).then_some((word, rest))
}

/// `underscores` of `shared/util.c`: `-` as `_` outside of brackets; `None` where kmod refuses the name.
pub(crate) fn kmod_name(name: &str) -> Option<String> {
    let mut is_set = false;
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '[' if !is_set => is_set = true,
            ']' if !is_set => return None,
            ']' => is_set = false,
            _ => {}
        }
        out.push(if letter == '-' && !is_set { '_' } else { letter });
    }
    (!is_set).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &str) -> Vec<String> {
        let text = |rule: &ModprobeRule| format!("{} {}|{}|{}", rule.line, rule.command, rule.module, rule.rest);
        parse("x", file.as_bytes()).iter().map(text).collect()
    }

    #[test]
    fn lines_as_kmod_reads_them() {
        for (file, rules) in [
            ("blacklist virtio-scsi\n", &["1 blacklist|virtio_scsi|"][..]),
            ("# comment\n\n \t blacklist\t a b", &["3 blacklist|a|"]),
            ("  # comment", &[]),
            ("blacklist", &[]),
            ("blacklist a]b", &[]),
            ("blacklist a[-]b-c", &["1 blacklist|a[-]b_c|"]),
            ("blacklist a[b", &[]),
            ("blacklist a\r\n", &["1 blacklist|a\r|"]),
            ("install a /bin/false", &["1 install|a|/bin/false"]),
            ("install a  b \\\n c\nblacklist d", &["1 install|a| b  c", "3 blacklist|d|"]),
            ("install a", &[]),
            ("install a ", &[]),
            ("install a\\x b", &["1 install|ax|b"]),
            ("install a b\\", &["1 install|a|b"]),
            ("options a\tb=1\tc=2", &["1 options|a|b=1 c=2"]),
            ("softdep a pre: b post: c", &["1 softdep|a|pre: b post: c"]),
            ("remove a x\nweakdep a b", &["1 remove|a|x", "2 weakdep|a|b"]),
            ("alias net-pf-10 off", &["1 alias|net_pf_10|off"]),
            ("alias x", &[]),
            ("Blacklist a\ninclude /x\nconfig y\nblacklisted a", &[]),
            ("blacklist a\0b", &["1 blacklist|a|"]),
        ] {
            assert_eq!(told(file), rules, "{file:?}");
        }
    }
}
