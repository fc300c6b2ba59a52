//! udev rules that start units (`SYSTEMD_WANTS`, `man 5 systemd.device`; `man 7 udev`).

use super::preset::matches;
use super::start::{AGENT_DEVICE, Pull};
use super::tree::{Entries, Node, Tree};
use super::{conf_files, name};
use crate::bytes::text;
use crate::disk::filesystem::GuestPath;
use crate::error::{Error, ErrorKind};
use crate::fact::Listing;
use crate::guest::UnitStart;

/// In udev's order; of equal names the first counts. /run is empty at boot.
const FOLDERS: &[&str] =
    &["/etc/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"];

/// Bytes of rules read of one image; a desktop has 1.5 MB.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Units that rules start.
pub(super) fn read(tree: &Tree<'_>) -> Listing<Pull> {
    let mut found = Listing::default();
    let mut folders: Vec<(GuestPath, Entries)> = Vec::new();
    for folder in FOLDERS {
        match tree.root.list(folder) {
            Ok(listing) => {
                let entries = listing.items.iter().map(|entry| (text(&entry.name), Node::File)).collect();
                folders.push((GuestPath::new(folder), entries));
                found.gaps.extend(listing.gaps);
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => found.gaps.push(error.into()),
        }
    }
    let mut bytes_read = 0_usize;
    for path in conf_files(folders.iter().map(|(path, entries)| (path.clone(), entries)), ".rules") {
        let bytes = match tree.root.read(&path, tree.limits.config_file) {
            Ok(bytes) => bytes,
            // A link to /dev/null is a mask.
            Err(error) if error.kind == ErrorKind::NotFound => continue,
            Err(error) => {
                found.gaps.push(error.into());
                continue;
            }
        };
        bytes_read = bytes_read.saturating_add(bytes.len());
        if bytes_read > MAX_BYTES {
            let error = Error::too_large("udev rules", format!("more than {MAX_BYTES} bytes"));
            found.gaps.push(error.at(path.to_text()).into());
            break;
        }
        if bytes.windows(b"SYSTEMD_WANTS".len()).any(|window| window == b"SYSTEMD_WANTS") {
            parse(&path.to_text(), &text(&bytes), &mut found.items);
        }
    }
    found
}

/// `KEY{attribute}OPERATOR"value"`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    key: String,
    operator: String,
    value: String,
}

/// Whether a rule concerns the port of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    Unknown,
}

fn parse(path: &str, text: &str, pulls: &mut Vec<Pull>) {
    // Labels that the agent's port jumps to, from where on.
    let mut skips_to: Option<(String, Match)> = None;
    for (line, text) in logical_lines(text) {
        let tokens = tokens(&text);
        let find = |key: &str| tokens.iter().find(|token| token.key == key);
        if let (Some((label, _)), Some(here)) = (&skips_to, find("LABEL"))
            && *label == here.value
        {
            skips_to = None;
        }
        let own = of_agent(&tokens);
        let reached = skips_to.as_ref().map_or(Match::Yes, |(_, skip)| match skip {
            Match::Yes => Match::No,
            _ => Match::Unknown,
        });
        if let Some(label) = find("GOTO").filter(|_| own != Match::No && skips_to.is_none()) {
            skips_to = Some((label.value.clone(), own));
        }
        let is_wish =
            |token: &&Token| token.key == "ENV{SYSTEMD_WANTS}" && token.operator != "==" && token.operator != "!=";
        let wishes: Vec<&Token> = tokens.iter().filter(is_wish).collect();
        // 99-systemd.rules tags every virtio port; a device that is not tagged starts nothing.
        let is_certain = own == Match::Yes && reached == Match::Yes;
        if is_certain && wishes.iter().any(|token| token.operator != "+=") {
            pulls.retain(|pull: &Pull| !pull.is_certain);
        }
        for word in wishes.iter().flat_map(|token| token.value.split_whitespace()) {
            // systemd takes one level of backslashes off.
            let word = word.replace(r"\\", r"\");
            // `%k` or `$name` as instance: the template stands for it.
            let valid = Some(word.clone()).filter(|word| name::kind(word).is_some());
            let Some(unit) = valid.or_else(|| name::template(&word)) else { continue };
            let of = if is_certain { AGENT_DEVICE.to_owned() } else { conditions(&tokens) };
            let start = UnitStart { by: "udev".to_owned(), of, path: path.to_owned(), line: Some(line) };
            pulls.push(Pull { unit, start, is_certain });
        }
    }
}

/// The matches of a rule as they stand, for the report.
fn conditions(tokens: &[Token]) -> String {
    let is_match = |token: &&Token| matches!(token.operator.as_str(), "==" | "!=");
    let shown =
        tokens.iter().filter(is_match).map(|token| format!("{}{}\"{}\"", token.key, token.operator, token.value));
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "a device of an earlier rule".to_owned() } else { shown.join(", ") }
}

/// Weighs a rule's matches for the port that Nova gives the agent.
fn of_agent(tokens: &[Token]) -> Match {
    let mut all = Match::Yes;
    for token in tokens {
        let is_equal = match token.operator.as_str() {
            "==" => true,
            "!=" => false,
            _ => continue,
        };
        let known = match token.key.as_str() {
            "SUBSYSTEM" | "SUBSYSTEMS" if token.key == "SUBSYSTEM" => Some("virtio-ports"),
            "ATTR{name}" => Some("org.qemu.guest_agent.0"),
            "ACTION" => Some("add"),
            // Any port of any controller.
            "KERNEL" => Some("vport1p1")
                .filter(|_| token.value.split('|').all(|value| !value.contains(|c: char| c.is_ascii_digit()))),
            _ => None,
        };
        let holds = known.map(|known| token.value.split('|').any(|value| matches(value.as_bytes(), known.as_bytes())));
        match holds.map(|holds| holds == is_equal) {
            Some(true) => {}
            Some(false) => return Match::No,
            None => all = Match::Unknown,
        }
    }
    all
}

/// Rules with the numbers of their first lines; a backslash at the end continues one.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(u32, String)> = None;
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        let (first, mut joined) = pending.take().unwrap_or((number, String::new()));
        if let Some(part) = line.strip_suffix('\\') {
            joined.push_str(part);
            pending = Some((first, joined));
        } else {
            joined.push_str(line);
            lines.push((first, joined));
        }
    }
    lines.extend(pending);
    lines
}

/// Tokens of a rule; what is no token ends it, as udev drops such a rule.
fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t', ',']);
    while let Some(at) = rest.find(['=', '!', '+', '-', ':']) {
        let Some((key, tail)) = rest.split_at_checked(at) else { break };
        let operators = ["==", "!=", "+=", "-=", ":=", "="];
        let Some(operator) = operators.iter().find(|operator| tail.starts_with(**operator)) else {
            // A dash or colon within the braces of a key.
            let Some(next) = tail.find('=').and_then(|to| at.checked_add(to)) else { break };
            let Some((head, value)) = rest.split_at_checked(next) else { break };
            let Some((token, tail)) = token(head, "=", value) else { break };
            tokens.push(token);
            rest = tail;
            continue;
        };
        let Some((token, tail)) = token(key, operator, tail) else { break };
        tokens.push(token);
        rest = tail;
    }
    tokens
}

fn token<'a>(key: &str, operator: &str, tail: &'a str) -> Option<(Token, &'a str)> {
    // An operator may stand at the end of a key that has a dash in it.
    let (key, operator) = match key.strip_suffix(['!', '+', '-', ':', '=']) {
        Some(shorter) => (shorter, format!("{}{operator}", key.get(shorter.len()..).unwrap_or_default())),
        None => (key, operator.to_owned()),
    };
    let value = tail.trim_start_matches(['=', '!', '+', '-', ':']).trim_start();
    // `e"…"` has C's escapes, `i"…"` ignores case; what stands in them is compared as it is.
    let value = value.strip_prefix(['e', 'i']).filter(|rest| rest.starts_with('"')).unwrap_or(value);
    let (value, rest) = value.strip_prefix('"')?.split_once('"')?;
    let token = Token { key: key.trim().to_owned(), operator, value: value.to_owned() };
    Some((token, rest.trim_start_matches([' ', '\t', ','])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_the_agent() {
        let suse = r#"SUBSYSTEM=="virtio-ports", ATTR{name}=="org.qemu.guest_agent.0", TAG+="systemd", ENV{SYSTEMD_WANTS}="qemu-ga@virtio\\x2dports-org.qemu.guest_agent.0.service""#;
        for (rules, expected) in [
            (
                "# c\nSUBSYSTEM==\"virtio-ports\", ATTR{name}==\"org.qemu.guest_agent.0\", \\\n  TAG+=\"systemd\" ENV{SYSTEMD_WANTS}=\"qemu-guest-agent.service\"\n",
                &[("qemu-guest-agent.service", true, 2)][..],
            ),
            (suse, &[(r"qemu-ga@virtio\x2dports-org.qemu.guest_agent.0.service", true, 1)]),
            ("KERNEL==\"vport*\", ENV{SYSTEMD_WANTS}+=\"a@%k.service b$name.service\"", &[("a@.service", true, 1)]),
            ("SUBSYSTEM==\"net\", ENV{SYSTEMD_WANTS}+=\"a.service\"", &[("a.service", false, 1)]),
            (
                "KERNEL==\"vport*\", ENV{SYSTEMD_WANTS}+=\"a.service b.service\"",
                &[("a.service", true, 1), ("b.service", true, 1)],
            ),
            ("KERNEL==\"vport0p1\", ENV{SYSTEMD_WANTS}+=\"a.service\"", &[("a.service", false, 1)]),
            (
                "SUBSYSTEM!=\"virtio-ports\", GOTO=\"end\"\nENV{SYSTEMD_WANTS}=\"a.service\"\nLABEL=\"end\"\n",
                &[("a.service", true, 2)],
            ),
            (
                "SUBSYSTEM==\"virtio-ports\", GOTO=\"end\"\nENV{SYSTEMD_WANTS}=\"a.service\"\nLABEL=\"end\"\nENV{SYSTEMD_WANTS}=\"b.service\"",
                &[("a.service", false, 2), ("b.service", true, 4)],
            ),
            ("ENV{X}==\"1\", GOTO=\"end\"\nENV{SYSTEMD_WANTS}=\"a.service\"\n", &[("a.service", false, 2)]),
            (
                "ACTION==\"remove\", GOTO=\"end\"\nSUBSYSTEM==\"virtio-ports\", ATTR{name}==\"com.redhat.spice.0\", ENV{SYSTEMD_WANTS}=\"a.service\"",
                &[("a.service", false, 2)],
            ),
            ("KERNEL==\"vport*\", ENV{SYSTEMD_WANTS}+=\"a.service\"\nKERNEL==\"vport*\", ENV{SYSTEMD_WANTS}=\"\"", &[]),
            ("ENV{SYSTEMD_WANTS}==\"a.service\", TAG+=\"x\"", &[]),
            ("#ENV{SYSTEMD_WANTS}=\"a.service\"\nENV{SYSTEMD_WANTS}=a.service\n\"", &[]),
        ] {
            let mut found = Vec::new();
            parse("/r", rules, &mut found);
            let row = |pull: &Pull| (pull.unit.clone(), pull.is_certain, pull.start.line.unwrap());
            let expected: Vec<_> = expected.iter().map(|(unit, is, line)| ((*unit).to_owned(), *is, *line)).collect();
            assert_eq!(found.iter().map(row).collect::<Vec<_>>(), expected, "{rules}");
        }
    }
}
