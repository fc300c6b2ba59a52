//! Values of properties: what Nova refuses, what it takes for false, what Glance does not take at all.

use super::{Image, Rule, Run};
use crate::manifest::image_manager::translated;
use crate::manifest::{Claim, ClaimValue, Typing};
use crate::verdict::Evidence;
use crate::verdict::profile::Severity;
use crate::verdict::property::vocabulary::{Judged, Kind, MAX_KEPT, OS_DISTROS, Scope, judge, property};

pub(super) const REFUSED: Rule = Rule {
    id: "value-refused",
    severity: Severity::Error,
    summary: "Nova refuses a value",
    why: "Glance keeps any value; Nova reads it when a server is made of the image, and refuses the server.",
    fix: "Write one of the values that Nova takes; bootworthy explain NAME lists them.",
    source: "nova/objects/image_meta.py, nova/objects/fields.py",
    run: Run::Image(|image| {
        let claim = |key: &str| image.claims.property(key);
        // Nova decodes these two itself, before they become properties (nova/image/glance.py, _convert).
        let is_decoded = |key: &str| ["mappings", "block_device_mapping"].contains(&key);
        let refused = image.rejected.iter().filter(|rejected| !is_decoded(&rejected.key));
        let found = refused.filter_map(|rejected| Some((claim(&rejected.key)?, &rejected.reason)));
        found.map(|(claim, reason)| refusal(image, claim, reason)).collect()
    }),
};

fn refusal(image: &Image<'_>, claim: &Claim, reason: &str) -> Evidence {
    let evidence = image.at(claim, format!("{}: {reason}", claim.key));
    let value = claim.sent(image.document.typing).unwrap_or_default();
    match meant(&claim.key, &value) {
        Some(meant) => {
            let fix = format!("{}={meant}", claim.key);
            evidence.expected(meant).mend(fix)
        }
        None => match hint(&claim.key, &value) {
            Some(hint) => evidence.mend(hint),
            None => evidence,
        },
    }
}

/// The value that this one is a slip of.
fn meant(key: &str, value: &str) -> Option<String> {
    let plain = value.trim().to_lowercase();
    let tries = [value.trim().to_owned(), plain.clone(), plain.replace('_', "-"), value.trim().to_uppercase()];
    let is_taken = |value: &&String| matches!(judge(key, value), Judged::Accepted(_));
    let entry = property(key)?;
    let near = || crate::verdict::nearest::nearest(&plain, entry.values.iter().map(String::as_str)).map(str::to_owned);
    tries.iter().find(is_taken).cloned().or_else(near)
}

/// What is usually meant by a value that belongs elsewhere.
fn hint(key: &str, value: &str) -> Option<String> {
    let hint = match (key, value.trim().to_lowercase().as_str()) {
        ("hw_watchdog_action", "shutdown" | "dump" | "inject-nmi") => {
            "shutdown, dump and inject-nmi are actions of libvirt that Nova does not take; poweroff is nearest to shutdown"
        }
        ("hw_pointer_model", "ps2mouse") => "ps2mouse is a value of nova.conf, not of an image; take the property out",
        ("img_config_drive", "true" | "yes" | "1") => "hw config drives are asked for by img_config_drive=mandatory",
        ("img_config_drive", "false" | "no" | "0") => "img_config_drive=optional is what it is without the property",
        ("architecture" | "hw_architecture", "x86-64" | "x64") => "architecture=x86_64",
        ("hypervisor_type" | "img_hv_type", "hyper-v") => "hypervisor_type=hyperv",
        ("hypervisor_type" | "img_hv_type", "esxi") => "hypervisor_type=vmware",
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) const SILENTLY_FALSE: Rule = Rule {
    id: "value-silently-false",
    severity: Severity::Error,
    summary: "Nova takes a value for false without a word",
    why: "Nova reads 1, t, true, on, y and yes as true in any case, and everything else as false.",
    fix: "Write true or false, in these words.",
    source: "oslo_utils/strutils.py, bool_from_string",
    run: Run::Image(|image| {
        let is_false = |key: &str, value: &str| matches!(judge(key, value), Judged::SilentlyFalse(_));
        let found = image.sent().filter(|(claim, value)| is_false(&claim.key, value));
        found
            .map(|(claim, value)| {
                let text = format!("{} is false: {value:?} is no truth value", claim.key);
                image.at(claim, text).expected("true or false")
            })
            .collect()
    }),
};

pub(super) const TYPED: Rule = Rule {
    id: "value-typed",
    severity: Severity::Error,
    summary: "a value is no text",
    why: "Glance takes nothing but strings for properties and answers 400; a tool that makes text of null sends None.",
    fix: "Put the value in quotes.",
    source: "glance/api/v2/images.py, get_schema: additionalProperties of type string",
    run: Run::Image(|image| {
        let typing = image.document.typing;
        let is_refused = |claim: &&Claim| match claim.value {
            ClaimValue::Text(_) | ClaimValue::Computed(_) => false,
            ClaimValue::Null => typing != Typing::Lower,
            ClaimValue::Compound => typing != Typing::Shown,
            _ => typing == Typing::Strict,
        };
        let found = image.claims.properties.iter().filter(is_refused);
        found.map(|claim| image.at(claim, format!("{} is {}", claim.key, kind(&claim.value)))).collect()
    }),
};

fn kind(value: &ClaimValue) -> &'static str {
    match value {
        ClaimValue::Text(_) | ClaimValue::Computed(_) => "text",
        ClaimValue::Bool(_) => "a truth value without quotes",
        ClaimValue::Integer(_) | ClaimValue::Decimal(_) => "a number without quotes",
        ClaimValue::Null => "null",
        ClaimValue::Compound => "a list or an object",
    }
}

pub(super) const BLANK: Rule = Rule {
    id: "value-blank",
    severity: Severity::Warning,
    summary: "a value has blanks around it",
    why: "Glance keeps them, filters of the scheduler compare them, and the next release may refuse them.",
    fix: "Take the blanks out of the value.",
    source: "glance/api/v2/images.py; nova/scheduler/filters/image_props_filter.py",
    run: Run::Image(|image| {
        let is_blank = |(claim, value): &(&Claim, String)| {
            value.trim().len() != value.len() && !image.rejected.iter().any(|rejected| rejected.key == claim.key)
        };
        let found = image.sent().filter(is_blank);
        found.map(|(claim, value)| image.at(claim, format!("{}={value:?}", claim.key)).expected(value.trim())).collect()
    }),
};

pub(super) const LOST_ZERO: Rule = Rule {
    id: "version-without-quotes",
    severity: Severity::Warning,
    summary: "a version is written as a number",
    why: "A number loses what makes it a version: 22.10 becomes 22.1.",
    fix: "Put the version in quotes.",
    source: "YAML 1.2.2, section 10.2.1.4; HCL, number literals",
    run: Run::Image(|image| {
        let is_number = |claim: &&Claim| {
            matches!(claim.value, ClaimValue::Decimal(_))
                && claim.key.contains("version")
                && image.document.typing != Typing::Strict
        };
        let found = image.claims.properties.iter().filter(is_number);
        found.map(|claim| image.at(claim, format!("{} is a number", claim.key))).collect()
    }),
};

pub(super) const TOO_LONG: Rule = Rule {
    id: "value-too-long",
    severity: Severity::Warning,
    summary: "a value is longer than what Nova keeps",
    why: "Nova copies properties to the server and cuts each at 255 bytes: a kernel command line loses its end.",
    fix: "Shorten the value to 255 bytes.",
    source: "nova/utils.py, get_system_metadata_from_image, safe_truncate",
    run: Run::Image(|image| {
        let is_nova = |key: &str| {
            property(key)
                .is_some_and(|entry| matches!(entry.scope, Scope::Nova | Scope::NovaOther) && entry.kind != Kind::List)
        };
        let found = image.sent().filter(|(claim, value)| value.len() > MAX_KEPT && is_nova(&claim.key));
        found
            .map(|(claim, value)| {
                image.at(claim, format!("{} has {} bytes, Nova keeps {MAX_KEPT}", claim.key, value.len()))
            })
            .collect()
    }),
};

pub(super) const BEYOND_BMP: Rule = Rule {
    id: "text-not-stored",
    severity: Severity::Error,
    summary: "text holds a character that Glance does not store",
    why: "Glance answers 400 to characters of four bytes in UTF-8, such as emoji.",
    fix: "Leave the character out.",
    source: "glance/api/v2/images.py; glance/common/utils.py, no_4byte_params",
    run: Run::Image(|image| {
        let is_wide = |text: &str| text.chars().any(|character| character.len_utf8() > 3);
        let all = image.claims.properties.iter().chain(&image.claims.name);
        let found = all.filter(|claim| {
            is_wide(&claim.key) || claim.sent(image.document.typing).is_some_and(|value| is_wide(&value))
        });
        found.map(|claim| image.at(claim, format!("{} holds a character of four bytes", claim.key))).collect()
    }),
};

pub(super) const MINIMUM: Rule = Rule {
    id: "minimum-refused",
    severity: Severity::Error,
    summary: "min_disk or min_ram is no whole number from 0 to 2147483647",
    why: "Glance answers 400; min_disk is in GiB and min_ram in MiB, both integers.",
    fix: "Write an integer without quotes and without a unit.",
    source: "glance/api/v2/images.py, get_base_properties",
    run: Run::Image(|image| {
        let is_bad = |claim: &&Claim| match &claim.value {
            ClaimValue::Integer(number) => {
                i32::try_from(*number).is_ok_and(i32::is_negative) || i32::try_from(*number).is_err()
            }
            ClaimValue::Computed(_) => false,
            ClaimValue::Text(text) if image.document.typing != Typing::Strict => {
                text.parse::<i32>().map_or(true, i32::is_negative)
            }
            _ => true,
        };
        let all = image.claims.min_disk.iter().chain(&image.claims.min_ram).filter(is_bad);
        all.map(|claim| image.at(claim, format!("{} is no whole number that Glance takes", claim.key))).collect()
    }),
};

/// Formats of the file and around it that Glance knows without configuration.
const DISK_FORMATS: &[&str] = &["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"];
const CONTAINERS: &[&str] = &["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"];

pub(super) const FORMAT: Rule = Rule {
    id: "format-refused",
    severity: Severity::Error,
    summary: "Glance does not know the format",
    why: "Glance answers 400 to a disk_format or container_format that is not in its list; capitals count.",
    fix: "disk_format is qcow2 or raw for most images, container_format bare.",
    source: "glance/common/config.py, disk_formats, container_formats",
    run: Run::Image(|image| {
        let lists = [(&image.claims.disk_format, DISK_FORMATS), (&image.claims.container_format, CONTAINERS)];
        let mut found = Vec::new();
        for (claim, known) in lists {
            let Some((claim, value)) = claim.as_ref().and_then(|claim| Some((claim, claim.sent(Typing::Lower)?)))
            else {
                continue;
            };
            if !known.contains(&value.as_str()) {
                let evidence = image.at(claim, format!("{value:?} is none of {}", known.join(", ")));
                let lower = value.trim().to_lowercase();
                let is_slip = known.contains(&lower.as_str());
                found.push(if is_slip {
                    evidence.expected(lower.clone()).mend(format!("{}={lower}", claim.key))
                } else {
                    evidence
                });
            }
        }
        found
    }),
};

/// Distributions without a word of Glance's vocabulary, by the word that is used for them.
const OTHER_DISTROS: &[&str] =
    &["almalinux", "alpine", "amzn", "cirros", "flatcar", "kylin", "openeuler", "oraclelinux", "sles", "talos"];

pub(super) const DISTRO: Rule = Rule {
    id: "os-distro-unusual",
    severity: Severity::Note,
    summary: "os_distro is no usual word",
    why: "Tools choose by os_distro; Glance's documentation lists its words, and libosinfo on a compute node has others.",
    fix: "Write the distribution's word in lower case without its version: debian, ubuntu, rocky, centos, rhel, opensuse.",
    source: "glance/doc/source/admin/useful-image-properties.rst, os_distro",
    run: Run::Image(|image| {
        let is_usual = |value: &str| OS_DISTROS.contains(&value) || OTHER_DISTROS.contains(&value);
        let found = image.sent().filter(|(claim, value)| claim.key == "os_distro" && !is_usual(value.trim()));
        found.map(|(claim, value)| unusual(image, claim, &value)).collect()
    }),
};

fn unusual(image: &Image<'_>, claim: &Claim, value: &str) -> Evidence {
    let evidence = image.at(claim, format!("{value:?} is in neither list"));
    let lower = value.trim().to_lowercase();
    let known = OS_DISTROS.iter().chain(OTHER_DISTROS);
    match known.filter(|word| lower.starts_with(**word)).max_by_key(|word| word.len()) {
        Some(word) => evidence.expected(*word).mend(format!("os_distro={word}")),
        None => evidence,
    }
}

pub(super) const OTHER_DISTRO: Rule = Rule {
    id: "os-distro-differs",
    severity: Severity::Warning,
    summary: "os_distro and the name of the image say different things",
    why: "Who chooses images by os_distro gets another distribution than the name promises.",
    fix: "Let os_distro name the distribution of the image.",
    source: "glance/doc/source/admin/useful-image-properties.rst, os_distro",
    run: Run::Image(|image| {
        let name = image.claims.name.as_ref().and_then(|name| name.sent(Typing::Lower)).unwrap_or_default();
        let word = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_lowercase();
        let is_distro = OS_DISTROS.iter().chain(OTHER_DISTROS).any(|known| *known == word);
        let is_other = |value: &str| is_distro && word != "windows" && value != word;
        let found = image.sent().filter(|(claim, value)| claim.key == "os_distro" && is_other(value));
        found
            .map(|(claim, value)| {
                let text = format!("{value:?}, but the image is called {name:?}");
                let is_theirs = image.document.format == "image-manager";
                match translated("os_distro", &word).filter(|_| is_theirs) {
                    Some(_) => image.at(claim, format!("{text}; openstack-image-manager's schema has no word for it")),
                    None => image.at(claim, text).expected(&word),
                }
            })
            .collect()
    }),
};
