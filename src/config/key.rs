//! The keys of the file, each with what it means, what it takes and where it goes.

use super::node::Node;
use super::policy;
use super::{Config, Date, Ignore};
use crate::error::Result;
use crate::manifest::lint;
use crate::manifest::policy::FIELDS;
use crate::verdict::check::CHECKS;
use crate::verdict::feature;
use crate::verdict::profile::{PROFILES, Severity};
use crate::verdict::property::{ACTIONS, PROPERTIES, Refusal, Set};

/// A key of the file's top level.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// What stands behind it.
    pub(super) shape: Shape,
    pub(super) read: fn(&mut Config, &Node<'_>) -> Result<()>,
}

/// What a key takes, for the JSON Schema.
#[derive(Debug)]
pub(super) enum Shape {
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A list of these words.
    Words(fn() -> Vec<&'static str>),
    /// A list of names of kernel modules.
    Modules,
    /// A table from these names to severities.
    Levels(fn() -> Vec<&'static str>),
    /// `[[ignore]]`.
    Ignores,
    /// A table from property to value, or a list of `KEY` and `KEY=VALUE`.
    Wishes,
    /// `[policy]`.
    Policy,
}

/// Every key, in the order in which a file is read best.
pub const KEYS: &[Key] = &[
    Key { name: "profile", summary: "What counts as an error", shape: Shape::Word(profiles), read: profile },
    Key {
        name: "require",
        summary: "Features that must be there, besides the profile's",
        shape: Shape::Words(features),
        read: require,
    },
    Key {
        name: "require_in_initrd",
        summary: "Modules that must be in the initrd even where the root tree would do",
        shape: Shape::Modules,
        read: require_in_initrd,
    },
    Key { name: "fail_on", summary: "Lowest severity that fails the run", shape: Shape::Word(failing), read: fail_on },
    Key { name: "set", summary: "Which properties are looked at", shape: Shape::Word(sets), read: set },
    Key { name: "with", summary: "Properties that must be earned", shape: Shape::Wishes, read: with },
    Key { name: "without", summary: "Properties to leave out", shape: Shape::Words(properties), read: without },
    Key {
        name: "watchdog_action",
        summary: "What the watchdog does",
        shape: Shape::Word(actions),
        read: watchdog_action,
    },
    Key {
        name: "severity",
        summary: "Another severity for a check, or a rule of bootworthy lint",
        shape: Shape::Levels(checks),
        read: severity,
    },
    Key { name: "ignore", summary: "Findings that are accepted", shape: Shape::Ignores, read: ignore },
    Key { name: "policy", summary: "What the publisher promises (SCS-0102)", shape: Shape::Policy, read: promises },
];

/// The keys of `[[ignore]]`, and what each is.
pub(super) const IGNORE_KEYS: &[(&str, &str)] = &[
    ("check", "The check, or the rule of bootworthy lint, whose finding is accepted"),
    (
        "image",
        "The images or manifests that it is for: a pattern for the file name, or with a / for the path from this file",
    ),
    ("reason", "Why it is accepted; shown in every report"),
    ("expires", "The last day on which it counts"),
];

/// Characters of a pattern: the longest path that Linux takes (`PATH_MAX`).
pub(super) const MAX_PATTERN: usize = crate::limits::MAX_PATH;
/// Characters of a module's name: `MODULE_NAME_LEN` (`include/linux/module.h`), 64 less a word, without its end.
pub(super) const MAX_MODULE: usize = 55;

pub(super) fn profiles() -> Vec<&'static str> {
    PROFILES.iter().map(|profile| profile.name).collect()
}

fn features() -> Vec<&'static str> {
    feature::requirable().map(|feature| feature.name).collect()
}

pub(super) fn levels() -> Vec<&'static str> {
    Severity::ALL.iter().map(|severity| severity.word()).collect()
}

fn failing() -> Vec<&'static str> {
    levels().into_iter().filter(|word| *word != Severity::Off.word()).collect()
}

fn sets() -> Vec<&'static str> {
    Set::ALL.iter().map(|set| set.name()).collect()
}

/// Each key once: a bus has a row per value.
pub(super) fn properties() -> Vec<&'static str> {
    let mut keys: Vec<&str> = Vec::new();
    for property in PROPERTIES {
        if !keys.contains(&property.key) {
            keys.push(property.key);
        }
    }
    keys
}

fn actions() -> Vec<&'static str> {
    ACTIONS.to_vec()
}

/// Checks of images, then rules of the linter.
pub(super) fn checks() -> Vec<&'static str> {
    CHECKS.iter().map(|check| check.id).chain(lint::RULES.iter().map(|rule| rule.id)).collect()
}

fn profile(config: &mut Config, node: &Node<'_>) -> Result<()> {
    config.profile = Some(node.one_of(&profiles())?);
    Ok(())
}

fn require(config: &mut Config, node: &Node<'_>) -> Result<()> {
    for member in node.list()? {
        config.require.push(member.one_of(&features())?);
    }
    Ok(())
}

fn require_in_initrd(config: &mut Config, node: &Node<'_>) -> Result<()> {
    for member in node.list()? {
        let name = member.text()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > MAX_MODULE || !name.bytes().all(is_plain) {
            return Err(member.wrong("the name of a kernel module, such as virtio_net"));
        }
        config.require_in_initrd.push(name.to_owned());
    }
    Ok(())
}

fn fail_on(config: &mut Config, node: &Node<'_>) -> Result<()> {
    config.fail_on = Severity::parse(node.one_of(&failing())?);
    Ok(())
}

fn set(config: &mut Config, node: &Node<'_>) -> Result<()> {
    config.set = Set::parse(node.one_of(&sets())?);
    Ok(())
}

fn with(config: &mut Config, node: &Node<'_>) -> Result<()> {
    if let Some(rows) = node.table() {
        for row in rows {
            if !properties().contains(&row.key) {
                return Err(row.unknown("property", &properties()));
            }
            let text = format!("{}={}", row.key, row.value.word()?);
            config.choice.add(&text).map_err(|refusal| refused(&row.value, refusal))?;
        }
        return Ok(());
    }
    for member in node.list().map_err(|_| node.wrong("a table of properties and values in { }, or a list of keys"))? {
        config.choice.add(member.text()?).map_err(|refusal| refused(&member, refusal))?;
    }
    Ok(())
}

fn without(config: &mut Config, node: &Node<'_>) -> Result<()> {
    for member in node.list()? {
        config.choice.leave_out(member.text()?).map_err(|refusal| refused(&member, refusal))?;
    }
    Ok(())
}

fn watchdog_action(config: &mut Config, node: &Node<'_>) -> Result<()> {
    config.choice.act(node.text()?).map_err(|refusal| refused(node, refusal))
}

fn refused(node: &Node<'_>, refusal: Refusal) -> crate::error::Error {
    match refusal {
        Refusal::NoSuchKey(key) => node.unknown("property", &key, &properties()),
        Refusal::NoSuchValue(text) => node.error(text),
        // In the words of the command line, whose options these keys are.
        Refusal::Contradiction(text) => node.error(text.replace("--", "")),
    }
}

fn severity(config: &mut Config, node: &Node<'_>) -> Result<()> {
    for row in node.table().ok_or_else(|| node.wrong("a table: [severity]"))? {
        if !checks().contains(&row.key) {
            return Err(row.unknown("check", &checks()));
        }
        let level = Severity::parse(row.value.one_of(&levels())?).unwrap_or_default();
        config.severities.push((row.key.to_owned(), level));
    }
    Ok(())
}

fn ignore(config: &mut Config, node: &Node<'_>) -> Result<()> {
    for member in node.list().map_err(|_| node.wrong("a list of tables: [[ignore]]"))? {
        let ignore = one_ignore(&member)?;
        config.ignores.push(ignore);
    }
    Ok(())
}

fn one_ignore(node: &Node<'_>) -> Result<Ignore> {
    let (mut check, mut image, mut reason, mut expires) = (None, None, None, None);
    for row in node.table().ok_or_else(|| node.wrong("a table: [[ignore]]"))? {
        match row.key {
            "check" => check = Some(row.value.named("check", &checks())?),
            "image" => image = Some(pattern(&row.value)?),
            "reason" => reason = Some(reason_of(&row.value)?),
            "expires" => {
                let text = row.value.date()?;
                let day = Date::parse(&text).ok_or_else(|| row.value.wrong("a day such as \"2026-12-31\""))?;
                expires = Some(day);
            }
            _ => return Err(row.unknown("key", &IGNORE_KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>())),
        }
    }
    let missing = |key: &str, what: &str| node.error(format!("{key} is missing: {what}"));
    Ok(Ignore {
        check: check.ok_or_else(|| missing("check", "the check whose finding is accepted"))?,
        image,
        reason: reason.ok_or_else(|| missing("reason", "say why the finding is accepted"))?,
        expires,
        place: node.place(),
    })
}

fn pattern(node: &Node<'_>) -> Result<String> {
    let text = node.text()?;
    let is_sound = !text.is_empty() && text.chars().count() <= MAX_PATTERN;
    if is_sound { Ok(text.to_owned()) } else { Err(node.error("a pattern has 1 to 4096 characters")) }
}

fn reason_of(node: &Node<'_>) -> Result<String> {
    let text = node.text()?;
    if text.trim().is_empty() {
        Err(node.error("it is empty; say why the finding is accepted"))
    } else {
        Ok(text.to_owned())
    }
}

fn promises(config: &mut Config, node: &Node<'_>) -> Result<()> {
    let known: Vec<&str> = FIELDS.iter().map(|field| field.key).collect();
    for row in node.table().ok_or_else(|| node.wrong("a table: [policy]"))? {
        let field = FIELDS.iter().find(|field| field.key == row.key);
        let field = field.ok_or_else(|| row.unknown("promise", &known))?;
        config.policy.insert(field.key, policy::read(field, &row.value)?);
    }
    Ok(())
}
