//! Names of units (`man 5 systemd.unit`; src/basic/unit-name.c).

/// What a name can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `ssh.service`.
    Plain,
    /// `getty@.service`.
    Template,
    /// `getty@tty1.service`.
    Instance,
}

/// Suffixes of units, without the dot.
const TYPES: &[&str] =
    &["service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope"];

/// Longer names are none (`UNIT_NAME_MAX`).
const MAX_NAME: usize = 255;

/// The kind of a name; `None` when it is no name of a unit.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let (stem, _) = split(name)?;
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if name.len() > MAX_NAME || stem.is_empty() || !stem.chars().all(is_valid) {
        return None;
    }
    match stem.split_once('@') {
        None => Some(Kind::Plain),
        Some(("", _)) => None,
        Some((_, "")) => Some(Kind::Template),
        Some(_) => Some(Kind::Instance),
    }
}

/// What stands before the type, and the type.
fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(_, suffix)| TYPES.contains(suffix))
}

/// `service`, `socket` …; `None` when the name ends in none of them.
pub(super) fn suffix(name: &str) -> Option<&str> {
    split(name).map(|(_, suffix)| suffix)
}

/// Whether `word` is one of the types.
pub(super) fn is_type(word: &str) -> bool {
    TYPES.contains(&word)
}

/// Units of this type may have other names (`unit_type_may_alias`).
pub(super) fn may_alias(name: &str) -> bool {
    matches!(suffix(name), Some("service" | "socket" | "target" | "device" | "timer" | "path"))
}

/// Units of this type may be templates (`unit_type_may_template`).
pub(super) fn may_template(name: &str) -> bool {
    matches!(suffix(name), Some("service" | "socket" | "target" | "timer" | "path"))
}

/// `getty@.service` of `getty@tty1.service` and of itself; `None` for a plain name.
pub(super) fn template(name: &str) -> Option<String> {
    let (stem, suffix) = split(name)?;
    let (prefix, _) = stem.split_once('@')?;
    Some(format!("{prefix}@.{suffix}"))
}

/// `tty1` of `getty@tty1.service`.
pub(super) fn instance(name: &str) -> Option<&str> {
    let (stem, _) = split(name)?;
    stem.split_once('@').map(|(_, instance)| instance).filter(|instance| !instance.is_empty())
}

/// `getty` of `getty@tty1.service`, `ssh` of `ssh.service`.
pub(super) fn prefix(name: &str) -> &str {
    let stem = split(name).map_or(name, |(stem, _)| stem);
    stem.split_once('@').map_or(stem, |(prefix, _)| prefix)
}

/// `getty@tty1.service` of `getty@.service` and `tty1`; a plain name stays.
pub(super) fn with_instance(template: &str, instance: &str) -> String {
    match split(template).and_then(|(stem, suffix)| Some((stem.split_once('@')?.0, suffix))) {
        Some((prefix, suffix)) => format!("{prefix}@{instance}.{suffix}"),
        None => template.to_owned(),
    }
}

/// `text` with the specifiers that a name alone decides (`man 5 systemd.unit`, "Specifiers"); `default` is the
/// `DefaultInstance=` of a template. The others stay as they are.
pub(super) fn expand(text: &str, name: &str, default: Option<&str>) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let own = match (kind(name), default) {
        (Some(Kind::Template), Some(default)) => with_instance(name, default),
        _ => name.to_owned(),
    };
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('n') => out.push_str(&own),
            Some('N') => out.push_str(split(&own).map_or("", |(stem, _)| stem)),
            Some('p' | 'P') => out.push_str(prefix(name)),
            Some('i' | 'I') => out.push_str(instance(&own).unwrap_or_default()),
            Some('j' | 'J') => out.push_str(prefix(name).rsplit('-').next().unwrap_or_default()),
            Some('%') | None => out.push('%'),
            Some(other) => out.extend(['%', other]),
        }
    }
    out
}

/// Names whose drop-in folders count for `name`, the most exact first (`unit_file_find_dirs`, src/shared/dropin.c):
/// itself, its template, and `foo-.service` for `foo-bar.service`.
pub(super) fn for_dropins(name: &str) -> Vec<String> {
    let mut names = Vec::new();
    add_for_dropins(name, &mut names, 0);
    names
}

/// A name has at most 255 bytes, so at most as many dashes.
fn add_for_dropins(name: &str, names: &mut Vec<String>, depth: usize) {
    if depth > MAX_NAME || names.len() > MAX_NAME {
        return;
    }
    names.push(name.to_owned());
    let deeper = depth.saturating_add(1);
    if kind(name) == Some(Kind::Instance)
        && let Some(template) = template(name)
    {
        add_for_dropins(&template, names, deeper);
    }
    let Some((stem, suffix)) = split(name) else { return };
    let prefix = prefix(name);
    // A dash at the end belongs to the step before it.
    let shorter = prefix.strip_suffix('-').unwrap_or(prefix);
    let Some((start, _)) = shorter.rsplit_once('-').filter(|(start, _)| !start.is_empty()) else { return };
    let at = stem.split_once('@').map_or(String::new(), |(_, instance)| format!("@{instance}"));
    add_for_dropins(&format!("{start}-{at}.{suffix}"), names, deeper);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (name, expected) in [
            ("ssh.service", Some(Kind::Plain)),
            ("getty@.service", Some(Kind::Template)),
            ("getty@tty1.service", Some(Kind::Instance)),
            ("a@b@c.service", Some(Kind::Instance)),
            (r"dev-virtio\x2dports-org.qemu.guest_agent.0.device", Some(Kind::Plain)),
            ("@a.service", None),
            (".service", None),
            ("ssh", None),
            ("ssh.conf", None),
            ("a b.service", None),
            ("ä.service", None),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
        assert_eq!(kind(&format!("{}.service", "a".repeat(247))), Some(Kind::Plain));
        assert_eq!(kind(&format!("{}.service", "a".repeat(248))), None);
    }

    #[test]
    fn specifiers() {
        for (text, name, default, expected) in [
            ("%p-%i.target", "a@b.service", None, "a-b.target"),
            ("getty@%i.service", "x@.service", Some("tty1"), "getty@tty1.service"),
            ("%n %N %j", "a-b@c.service", None, "a-b@c.service a-b@c b"),
            ("%%p %H %", "a.service", None, "%p %H %"),
        ] {
            assert_eq!(expand(text, name, default), expected, "{text}");
        }
    }

    #[test]
    fn drop_in_names_as_the_manual_has_them() {
        for (name, expected) in [
            ("a.service", &["a.service"][..]),
            ("a-b-c.service", &["a-b-c.service", "a-b-.service", "a-.service"]),
            ("a-b@x.service", &["a-b@x.service", "a-b@.service", "a-@.service", "a-@x.service", "a-@.service"]),
            ("-a.service", &["-a.service"]),
            ("a-.service", &["a-.service"]),
        ] {
            assert_eq!(for_dropins(name), expected, "{name}");
        }
    }
}
