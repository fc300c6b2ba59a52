//! Flavor extra specs as Nova's API takes them: `nova/api/validation/extra_specs/{base,validators}.py`, microversion 2.86.

use super::{Kind, Spec, extra_specs, python};

/// What Nova's API makes of an extra spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecJudged {
    /// It knows it and takes the value.
    Accepted,
    /// It does not know it and takes it all the same; only a filter of the scheduler may read it.
    Unknown,
    /// It refuses it, for this reason.
    Rejected(String),
}

/// Namespaces in which every name must be known.
const NAMESPACES: &[&str] = &[
    "accel",
    "aggregate_instance_extra_specs",
    "capabilities",
    "hw",
    "hw_rng",
    "hw_video",
    "os",
    "pci_passthrough",
    "quota",
    "vmware",
];

/// What Nova's API makes of an extra spec.
pub fn judge_spec(name: &str, value: &str) -> SpecJudged {
    if let Some(spec) = extra_specs().specs.iter().find(|spec| is_named(spec, name)) {
        return verdict(valid(spec, value));
    }
    let Some((space, rest)) = name.split_once(':') else { return SpecJudged::Unknown };
    match space {
        "capabilities" if is_capability(rest) => SpecJudged::Accepted,
        _ if is_group(space, "trait") && is_word(rest, &extra_specs().traits) => {
            let is_taken = ["required", "forbidden"].contains(&value);
            verdict(if is_taken { Ok(()) } else { Err(format!("{value:?} is none of required, forbidden")) })
        }
        _ if is_group(space, "resources") && is_word(rest, &extra_specs().resources) => {
            verdict(python::int(value).map(drop).ok_or_else(|| format!("{value:?} is no whole number")))
        }
        _ if NAMESPACES.contains(&space) || is_group(space, "trait") || is_group(space, "resources") => {
            SpecJudged::Rejected(format!("there is no extra spec {name:?}"))
        }
        // The templates of its own table are known to Nova by name, and match no name.
        "trait{group}" if is_template(rest, "CUSTOM_{trait}", &extra_specs().traits) => template(name),
        "resources{group}" if is_template(rest, "CUSTOM_{resource}", &extra_specs().resources) => template(name),
        _ => SpecJudged::Unknown,
    }
}

fn verdict(result: Result<(), String>) -> SpecJudged {
    result.map_or_else(SpecJudged::Rejected, |()| SpecJudged::Accepted)
}

fn template(name: &str) -> SpecJudged {
    SpecJudged::Rejected(format!("there is no extra spec {name:?}"))
}

fn is_template(rest: &str, custom: &str, known: &[String]) -> bool {
    rest == custom || known.iter().any(|word| word == rest)
}

/// Whether the row is the one of this name; the dot before a number is a dot of a regular expression: any character.
pub(super) fn is_named(spec: &Spec, name: &str) -> bool {
    match spec.name.strip_suffix(".N") {
        Some(stem) => name.strip_prefix(stem).is_some_and(|rest| {
            let mut characters = rest.chars();
            let dot = characters.next();
            let digits = characters.as_str();
            dot.is_some_and(|dot| dot != '\n')
                && !digits.is_empty()
                && digits.chars().all(|c| python::digit(c).is_some())
        }),
        None => match spec.name.strip_suffix("KEY") {
            Some(stem) => name.strip_prefix(stem).is_some_and(|key| !key.is_empty() && !key.contains('\n')),
            None => spec.name == name,
        },
    }
}

/// `trait`, or `trait` with the name of a group of up to 64 characters.
fn is_group(space: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    space.strip_prefix(word).is_some_and(|group| group.len() <= 64 && group.chars().all(is_letter))
}

fn is_word(rest: &str, known: &[String]) -> bool {
    let is_letter = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_custom = rest.strip_prefix("CUSTOM_").is_some_and(|name| !name.is_empty() && name.chars().all(is_letter));
    is_custom || known.iter().any(|word| word == rest)
}

/// A known name; some of them with words behind colons: `cpu_info:features`.
fn is_capability(rest: &str) -> bool {
    let is_words = |tail: &str| {
        let mut words = tail.split(':');
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
        words.next() == Some("") && words.all(is_word)
    };
    extra_specs().capabilities.iter().any(|name| match name.strip_suffix("{filter}") {
        Some(stem) => rest.strip_prefix(stem).is_some_and(|tail| tail.is_empty() || is_words(tail)),
        None => name == rest,
    })
}

fn valid(spec: &Spec, value: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{value:?} is no {what}"));
    match spec.kind {
        Kind::Bool if python::boolean(value).is_none() => wrong("truth value: true, false, yes, no, on, off, 1, 0"),
        Kind::Integer => integer(spec, value),
        Kind::Enum if !spec.values.iter().any(|known| known == value) => {
            Err(format!("{value:?} is none of {}", spec.values.join(", ")))
        }
        Kind::Mask if !is_mask(value) => wrong("list of processors, such as 0-3,^2"),
        Kind::PageSize if !is_page_size(value) => wrong("page size: small, large, any, 2048, 2MB, 1GB"),
        Kind::Labels if !is_labels(value) => wrong("list of labels with commas between"),
        Kind::Aliases if !is_aliases(value) => wrong("ALIAS:COUNT, or several with commas between"),
        _ => Ok(()),
    }
}

fn integer(spec: &Spec, value: &str) -> Result<(), String> {
    let number = python::int(value).ok_or_else(|| format!("{value:?} is no whole number"))?;
    let number = python::value(&number);
    match (spec.min, spec.max) {
        (_, Some(max)) if number > max => Err(format!("{value} is more than {max}")),
        (Some(min), _) if number < min => Err(format!("{value} is less than {min}")),
        _ => Ok(()),
    }
}

/// What is left behind one digit or more; `None` where there is none.
fn digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| python::digit(c).is_some());
    (rest.len() < text.len()).then_some(rest)
}

/// `\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*`: a list in which the ends of ranges may follow one another.
fn is_mask(value: &str) -> bool {
    let Some(mut rest) = digits(value.strip_prefix('^').unwrap_or(value)) else { return false };
    while !rest.is_empty() {
        let next = match rest.strip_prefix(',') {
            Some(more) => digits(more.strip_prefix('^').unwrap_or(more)),
            None => rest.strip_prefix('-').and_then(digits),
        };
        let Some(next) = next else { return false };
        rest = next;
    }
    true
}

/// `(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)`.
fn is_page_size(value: &str) -> bool {
    let Some(unit) = digits(value) else { return ["large", "small", "any"].contains(&value) };
    let unit = match unit.strip_prefix(['k', 'K', 'M', 'G', 'T']) {
        Some(rest) => rest.strip_prefix('i').unwrap_or(rest),
        None => unit,
    };
    ["", "b", "bit", "B"].contains(&unit)
}

/// `([a-zA-Z0-9_]+(,)?)+`.
fn is_labels(value: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let labels = value.strip_suffix(',').unwrap_or(value);
    labels.split(',').all(|label| !label.is_empty() && label.chars().all(is_letter))
}

/// `[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*`: a name may be anything without a colon, white space and commas as well.
fn is_aliases(value: &str) -> bool {
    let parts: Vec<&str> = value.split(':').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return false };
    let is_count_and_name = |part: &&str| {
        let name = digits(part).and_then(|rest| rest.trim_start_matches(python::is_space).strip_prefix(','));
        name.is_some_and(|name| !name.is_empty())
    };
    !first.is_empty() && middle.iter().all(is_count_and_name) && digits(last) == Some("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_specs_as_the_api_takes_them() {
        for (name, value, expected) in [
            ("hw:cpu_policy", "dedicated", "accepted"),
            ("hw:cpu_policy", "Dedicated", "rejected"),
            ("hw:boot_menu", "maybe", "rejected"),
            ("hw:boot_menu", " YES", "accepted"),
            ("hw:cpu_cores", "0", "rejected"),
            ("hw:cpu_cores", "+2 ", "accepted"),
            ("hw:redirected_usb_ports", "16", "rejected"),
            ("hw:numa_cpus.0", "0-3,^2", "accepted"),
            ("hw:numa_cpus.x", "0", "rejected"),
            ("hw:cpu_realtime_mask", "^0-1", "accepted"),
            ("hw:cpu_realtime_mask", "0-1-2", "accepted"),
            ("hw:cpu_realtime_mask", "0,", "rejected"),
            ("hw:mem_page_size", "1GB", "accepted"),
            ("hw:mem_page_size", "2Mib", "accepted"),
            ("hw:mem_page_size", "1gb", "rejected"),
            ("hw:pmem", "a,b,", "accepted"),
            ("hw:pmem", ",a", "rejected"),
            ("pci_passthrough:alias", "gpu:1, nic:2", "accepted"),
            ("pci_passthrough:alias", "gpu", "rejected"),
            ("pci_passthrough:alias", "gpu:1,", "rejected"),
            ("hw:qemu_guest_agent", "yes", "rejected"),
            ("hw_watchdog_action", "reset", "unknown"),
            ("foo:bar", "1", "unknown"),
            ("trait:HW_CPU_X86_VMX", "required", "accepted"),
            ("trait1:CUSTOM_X", "yes", "rejected"),
            ("trait:HW_X", "required", "rejected"),
            ("resources:VGPU", "1", "accepted"),
            ("resources:vgpu", "1", "rejected"),
            ("resources_a-b:CUSTOM_X", "x", "rejected"),
            ("capabilities:cpu_info:features", "<in> aes", "accepted"),
            ("capabilities:cpu_info:", "x", "rejected"),
            ("trait{group}:HW_CPU_X86_VMX", "required", "rejected"),
        ] {
            let word = match judge_spec(name, value) {
                SpecJudged::Accepted => "accepted",
                SpecJudged::Unknown => "unknown",
                SpecJudged::Rejected(_) => "rejected",
            };
            assert_eq!(word, expected, "{name}={value}");
        }
    }
}
