//! Which properties the user asks for: a set, and one by one. What is asked for is never earned by asking.

use super::{PROPERTIES, Property, Values};

/// A named selection of properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Set {
    /// What every instance of the image needs.
    Minimal,
    /// And what the image can do besides.
    #[default]
    Recommended,
    /// And what `SovereignCloudStack`'s SCS-0102 recommends.
    Scs,
    /// And what restricts scheduling or has a default that does.
    Full,
}

impl Set {
    /// Every set, from the smallest.
    pub const ALL: &'static [Self] = &[Self::Minimal, Self::Recommended, Self::Scs, Self::Full];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Recommended => "recommended",
            Self::Scs => "scs",
            Self::Full => "full",
        }
    }

    /// What is in it.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Minimal => "disk bus, system and sizes",
            Self::Recommended => "and guest agent, multiqueue, watchdog",
            Self::Scs => "and what SCS-0102 recommends",
            Self::Full => "and all that is only worth saying on some clouds",
        }
    }

    /// The set with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|set| set.name() == name)
    }
}

/// A property that the user asks for (`--with`): it is a failure when it is not earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Glance's key.
    pub key: &'static str,
    /// The value, in Nova's spelling; whichever is earned when there is none.
    pub value: Option<String>,
}

/// What the user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--set`.
    pub set: Set,
    /// `--with`.
    pub with: Vec<Wish>,
    /// `--without`.
    pub without: Vec<&'static str>,
    /// `--watchdog-action`; `reset` when it is not given.
    pub watchdog_action: Option<&'static str>,
}

/// Why a choice cannot be taken; the command line's mistake, whatever the image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No property has this key.
    NoSuchKey(String),
    /// Nova does not take this value; says what it takes.
    NoSuchValue(String),
    /// Two options contradict each other.
    Contradiction(String),
}

impl Choice {
    /// Adds `KEY` or `KEY=VALUE`.
    ///
    /// # Errors
    /// For keys without a property, and values that Nova does not take.
    pub fn add(&mut self, text: &str) -> Result<(), Refusal> {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        let property = find(key)?;
        let value = value.map(|value| property.values.spelled(property.key, value)).transpose()?;
        let rival = self.with.iter().find(|wish| wish.key == property.key && wish.value != value);
        if let Some(rival) = rival {
            let rival = rival.value.as_deref().unwrap_or("whichever is earned");
            return Err(Refusal::Contradiction(format!("--with {text} contradicts --with {key} ({rival})")));
        }
        if self.without.contains(&property.key) {
            return Err(Refusal::Contradiction(format!("--with {text} contradicts --without {key}")));
        }
        if let Some(action) = self
            .watchdog_action
            .filter(|action| key == WATCHDOG && value.as_deref().is_some_and(|value| value != *action))
        {
            return Err(Refusal::Contradiction(format!("--with {text} contradicts --watchdog-action {action}")));
        }
        if !self.is_wished(property.key) {
            self.with.push(Wish { key: property.key, value });
        }
        Ok(())
    }

    /// Leaves `key` out.
    ///
    /// # Errors
    /// For keys without a property, and for one that `--with` asks for.
    pub fn leave_out(&mut self, key: &str) -> Result<(), Refusal> {
        let property = find(key)?;
        if self.is_wished(property.key) {
            return Err(Refusal::Contradiction(format!("--without {key} contradicts --with {key}")));
        }
        self.without.push(property.key);
        Ok(())
    }

    /// Sets what the watchdog does.
    ///
    /// # Errors
    /// For actions that Nova does not take, and beside `--with hw_watchdog_action` with another one.
    pub fn act(&mut self, action: &str) -> Result<(), Refusal> {
        let known = ACTIONS.iter().copied().find(|known| *known == action);
        let known = known.ok_or_else(|| Refusal::NoSuchValue(no_action(action)))?;
        let wish = self.with.iter().find(|wish| wish.key == WATCHDOG).and_then(|wish| wish.value.as_deref());
        if let Some(other) = wish.filter(|wish| *wish != known) {
            let text = format!("--watchdog-action {known} contradicts --with {WATCHDOG}={other}");
            return Err(Refusal::Contradiction(text));
        }
        self.watchdog_action = Some(known);
        Ok(())
    }

    /// Adds what `other` asks for one by one, but where this choice says something of the same key already.
    pub fn complete(&mut self, other: &Self) {
        let own = self.clone();
        let is_open = |key: &str| {
            let is_armed = key == WATCHDOG && own.watchdog_action.is_some();
            !own.is_wished(key) && !own.without.contains(&key) && !is_armed
        };
        self.with.extend(other.with.iter().filter(|wish| is_open(wish.key)).cloned());
        self.without.extend(other.without.iter().filter(|key| !own.is_wished(key) && !own.without.contains(key)));
        if is_open(WATCHDOG) {
            self.watchdog_action = other.watchdog_action;
        }
    }

    /// Whether a row is asked for, by the set or one by one. Values that are in no set are only taken by name.
    pub fn includes(&self, property: &Property) -> bool {
        let is_in_set = property.sets.contains(&self.set);
        let has_other = || PROPERTIES.iter().any(|other| other.key == property.key && !other.sets.is_empty());
        let wish = self.with.iter().find(|wish| wish.key == property.key);
        let is_wished = wish.is_some_and(|wish| wish.value.is_some() || !property.sets.is_empty() || !has_other());
        (is_in_set || is_wished) && !self.without.contains(&property.key)
    }

    /// Whether any row of a key is asked for.
    pub fn includes_key(&self, key: &str) -> bool {
        PROPERTIES.iter().any(|property| property.key == key && self.includes(property))
    }

    /// Whether `--with` names it.
    pub fn is_wished(&self, key: &str) -> bool {
        self.with.iter().any(|wish| wish.key == key)
    }

    /// The value that the user wants, where one is named.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.with.iter().find(|wish| wish.key == key)?.value.as_deref()
    }

    /// Whether the user wants another value than this one.
    pub fn wants_other(&self, key: &str, value: &str) -> bool {
        self.value(key).is_some_and(|wanted| wanted != value)
    }

    /// What the watchdog is to do.
    pub fn action(&self) -> &str {
        self.value(WATCHDOG).or(self.watchdog_action).unwrap_or("reset")
    }
}

pub(super) const WATCHDOG: &str = "hw_watchdog_action";

/// Nova's actions (`nova/objects/fields.py`, `WatchdogAction`).
pub const ACTIONS: &[&str] = &["none", "pause", "poweroff", "reset", "disabled"];

fn no_action(action: &str) -> String {
    let nova = format!("Nova accepts {}", ACTIONS.join(", "));
    // `docs/formatdomain.rst` of libvirt, "Watchdog devices".
    match action {
        "shutdown" | "dump" | "inject-nmi" => format!("'{action}' is a libvirt action; {nova}"),
        _ => format!("'{action}' is no watchdog action; {nova}"),
    }
}

fn find(key: &str) -> Result<&'static Property, Refusal> {
    PROPERTIES.iter().find(|property| property.key == key).ok_or_else(|| Refusal::NoSuchKey(key.to_owned()))
}

impl Values {
    /// The value as it is written to Glance.
    fn spelled(self, key: &str, value: &str) -> Result<String, Refusal> {
        let refuse = |takes: &str| {
            let text = if key == WATCHDOG { no_action(value) } else { format!("{key}={value}: {takes}") };
            Err(Refusal::NoSuchValue(text))
        };
        match self {
            Self::Text if (1..=255).contains(&value.len()) => Ok(value.to_owned()),
            Self::Text => refuse("a value has 1 to 255 characters"),
            Self::Integer if value.parse::<u32>().is_ok_and(|number| number <= MAX_INTEGER) => Ok(value.to_owned()),
            Self::Integer => refuse("a whole number is expected"),
            Self::Yes(spelled) if TRUE.contains(&value.trim().to_ascii_lowercase().as_str()) => Ok(spelled.to_owned()),
            Self::Yes(spelled) => {
                refuse(&format!("{spelled} is all that can be earned; --without {key} leaves it out"))
            }
            Self::OneOf(values) if values.contains(&value) => Ok(value.to_owned()),
            Self::OneOf(values) => refuse(&format!("Nova accepts {}", values.join(", "))),
        }
    }
}

/// What Nova takes for true (`oslo_utils.strutils.bool_from_string`).
const TRUE: &[&str] = &["1", "t", "true", "on", "y", "yes"];
/// Glance's limit of `min_disk` (`glance/api/v2/images.py`, schema).
const MAX_INTEGER: u32 = 2_147_483_647;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for() {
        for (text, expected) in [
            ("hw_watchdog_action", Ok(None)),
            ("hw_watchdog_action=pause", Ok(Some("pause"))),
            ("hw_qemu_guest_agent=true", Ok(Some("yes"))),
            ("hw_qemu_guest_agent=Yes", Ok(Some("yes"))),
            ("hw_vif_multiqueue_enabled=on", Ok(Some("true"))),
            ("os_version=12=3", Ok(Some("12=3"))),
            ("min_disk=10", Ok(Some("10"))),
            ("min_disk=-1", Err("min_disk=-1: a whole number is expected")),
            ("min_disk=2147483648", Err("min_disk=2147483648: a whole number is expected")),
            (
                "hw_watchdog_action=dump",
                Err("'dump' is a libvirt action; Nova accepts none, pause, poweroff, reset, disabled"),
            ),
            (
                "hw_watchdog_action=Reset",
                Err("'Reset' is no watchdog action; Nova accepts none, pause, poweroff, reset, disabled"),
            ),
            (
                "hw_qemu_guest_agent=no",
                Err(
                    "hw_qemu_guest_agent=no: yes is all that can be earned; --without hw_qemu_guest_agent leaves it out",
                ),
            ),
            (
                "hw_disk_bus=SCSI",
                Err("hw_disk_bus=SCSI: Nova accepts fdc, ide, sata, scsi, usb, virtio, xen, lxc, uml"),
            ),
            ("os_version=", Err("os_version=: a value has 1 to 255 characters")),
            ("hw_disk_buss", Err("hw_disk_buss")),
            ("", Err("")),
        ] {
            let mut choice = Choice::default();
            let found = choice.add(text).map(|()| choice.with[0].value.as_deref());
            let found = found.map_err(|refusal| match refusal {
                Refusal::NoSuchKey(text) | Refusal::NoSuchValue(text) | Refusal::Contradiction(text) => text,
            });
            assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text), "{text}");
        }
    }

    #[test]
    fn contradictions() {
        let mut choice = Choice::default();
        choice.add("hw_disk_bus=scsi").unwrap();
        assert_eq!(choice.add("hw_disk_bus=scsi"), Ok(()));
        assert_eq!(choice.with.len(), 1);
        assert!(matches!(choice.add("hw_disk_bus=virtio"), Err(Refusal::Contradiction(_))));
        assert!(matches!(choice.leave_out("hw_disk_bus"), Err(Refusal::Contradiction(_))));
        assert!(matches!(choice.leave_out("hw_dsk_bus"), Err(Refusal::NoSuchKey(_))));
        choice.add("hw_watchdog_action=pause").unwrap();
        assert!(matches!(choice.act("reset"), Err(Refusal::Contradiction(_))));
        assert_eq!((choice.act("pause"), choice.action()), (Ok(()), "pause"));
        assert!(matches!(choice.act("shutdown"), Err(Refusal::NoSuchValue(_))));
    }

    #[test]
    fn sets_grow() {
        for pair in Set::ALL.windows(2) {
            for property in PROPERTIES.iter().filter(|property| property.sets.contains(&pair[0])) {
                assert!(property.sets.contains(&pair[1]), "{} is in {} alone", property.key, pair[0].name());
            }
        }
        assert_eq!(Set::parse("scs"), Some(Set::Scs));
        assert_eq!(Set::parse("Scs"), None);
    }
}
