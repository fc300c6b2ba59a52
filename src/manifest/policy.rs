//! What nobody can read in an image and its publisher must say: SCS-0102 v2
//! (`Standards/scs-0102-v2-image-metadata.md` of `SovereignCloudStack`, and the test beside it where it is stricter).

use super::{Manifest, Property};
use crate::error::{Error, Result};
use crate::limits::GIB;
use std::collections::BTreeMap;

/// The publisher's values, by Glance's key; each keeps its rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    values: BTreeMap<&'static str, String>,
}

/// One value that a policy may hold.
#[derive(Debug)]
pub struct Field {
    /// Glance's key.
    pub key: &'static str,
    /// What it says.
    pub summary: &'static str,
    /// SCS-0102 demands it.
    pub is_mandatory: bool,
    /// What its value may be.
    pub rule: Rule,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A day, or one of these words.
    Day(&'static [&'static str]),
    /// `none`, `last-N`, a day, `notice`, `forever`.
    Validity,
    /// A day, and perhaps a time of it, in UTC.
    Moment,
    /// A place to download from, or `private`.
    Source,
    /// Anything that Glance stores.
    Text,
    /// A whole number.
    Count,
    /// MiB, at least one.
    Memory,
    /// True or false.
    Truth,
}

/// Every value, in the standard's order.
pub const FIELDS: &[Field] = &[
    field("min_ram", "the least memory that an instance needs, in MiB", true, Rule::Memory),
    field("os_purpose", "what the image is for", true, Rule::OneOf(PURPOSES)),
    field("replace_frequency", "how often it is replaced", true, Rule::OneOf(FREQUENCIES)),
    field("uuid_validity", "how long its id stays valid", true, Rule::Validity),
    field("provided_until", "until when it is offered", true, Rule::Day(&["none", "notice"])),
    field("hotfix_hours", "hours until a critical fix is in the image", false, Rule::Count),
    field("image_source", "where it comes from: a URL, or private", true, Rule::Source),
    field("image_description", "a URL or a text that describes it", true, Rule::Text),
    field("image_build_date", "when it was built, in UTC", true, Rule::Moment),
    field("image_original_user", "who can log in, or none", true, Rule::Text),
    field("patchlevel", "its patch level", false, Rule::Text),
    field("license_included", "a licence is part of the price", false, Rule::Truth),
    field("license_required", "the user brings a licence", false, Rule::Truth),
    field("subscription_included", "a subscription is part of the price", false, Rule::Truth),
    field("subscription_required", "the user brings a subscription", false, Rule::Truth),
    field("maintained_until", "until when its maker maintains it", false, Rule::Day(&[])),
    field("l1_support_contact", "a URI of the first level of support", false, Rule::Text),
];

const fn field(key: &'static str, summary: &'static str, is_mandatory: bool, rule: Rule) -> Field {
    Field { key, summary, is_mandatory, rule }
}

impl Rule {
    /// What the value may be, in words.
    pub fn takes(self) -> String {
        let words = |words: &[&str]| match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        };
        match self {
            Self::OneOf(list) => words(list),
            Self::Day(list) => words(&[&["YYYY-MM-DD"], list].concat()),
            Self::Validity => "none, last-N, YYYY-MM-DD, notice or forever".to_owned(),
            Self::Moment => "YYYY-MM-DD[ hh:mm[:ss]]".to_owned(),
            Self::Source => "a http, https, ftp or ftps URL, or private".to_owned(),
            Self::Text => "1 to 255 characters, not all of them blank".to_owned(),
            Self::Count => "a whole number".to_owned(),
            Self::Memory => "MiB from 1".to_owned(),
            Self::Truth => words(&["true", "false"]),
        }
    }

    /// Whether it takes this text.
    pub fn fits(self, text: &str) -> bool {
        let is_right = match self {
            Self::OneOf(words) => words.contains(&text),
            Self::Day(words) => words.contains(&text) || is_day(text),
            Self::Validity => is_validity(text),
            Self::Moment => is_moment(text),
            Self::Source => text == "private" || is_url(text),
            Self::Text => true,
            Self::Count => is_count(text),
            Self::Memory => is_count(text) && text.parse::<u32>().is_ok_and(|number| number > 0),
            Self::Truth => matches!(text, "true" | "false"),
        };
        is_right && is_text(text)
    }
}

const PURPOSES: &[&str] = &["generic", "oldgeneric", "minimal", "k8snode", "gpu", "network", "custom"];
const FREQUENCIES: &[&str] = &["yearly", "quarterly", "monthly", "weekly", "daily", "critical_bug", "never"];
/// What the image itself must have shown.
const EVIDENT: &[&str] = &["architecture", "os_version", "os_distro", "hw_disk_bus"];
/// The test takes no others, whatever Glance's vocabulary has.
const ARCHITECTURES: &[&str] = &["x86_64", "aarch64", "risc-v"];

impl Policy {
    /// Sets a value, in place of what stood there.
    ///
    /// # Errors
    /// For a key that no policy has, and a value against its rule.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let keys = || FIELDS.iter().map(|field| field.key).collect::<Vec<_>>().join(", ");
        let unknown = || Error::not_found(format!("the policy value {key:?}")).help(format!("there are {}", keys()));
        let field = FIELDS.iter().find(|field| field.key == key).ok_or_else(unknown)?;
        if !field.rule.fits(value) {
            return Err(wrong(key, format!("{value:?} is given, {} is expected", field.rule.takes())));
        }
        let (included, required) = ("license_included", "license_required");
        let other = [(included, required), (required, included)].into_iter().find(|(one, _)| *one == key);
        if value == "true" && other.is_some_and(|(_, other)| self.get(other) == Some("true")) {
            return Err(wrong(key, format!("{included} and {required} cannot both be true")));
        }
        self.values.insert(field.key, value.to_owned());
        Ok(())
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The keys that SCS-0102 demands and the policy does not have; the login user is missing only where the image
    /// has none either.
    pub fn missing(&self) -> Vec<&'static str> {
        let mandatory = FIELDS.iter().filter(|field| field.is_mandatory && field.key != "image_original_user");
        mandatory.map(|field| field.key).filter(|key| self.get(key).is_none()).collect()
    }

    /// Puts the values into the manifest, in the standard's order.
    pub fn fill<'a>(&'a self, image: &mut Manifest<'a>) {
        for field in FIELDS {
            match (field.key, self.get(field.key)) {
                (_, None) => {}
                ("min_ram", Some(value)) => image.min_ram = value.parse().ok(),
                (key, Some(value)) => {
                    image.properties.retain(|property| property.key != key);
                    image.properties.push(Property { key, value, evidence: None });
                }
            }
        }
    }
}

/// Makes the manifest one that SCS-0102 takes: `min_disk` covers the file too.
///
/// # Errors
/// For a mandatory property that is not there, with the reason where the image did not earn it.
pub fn scs(image: &mut Manifest<'_>) -> Result<()> {
    let missing = |key: &str| image.value(key).is_none();
    if let Some(key) = EVIDENT.iter().find(|key| missing(key)) {
        let why = image.withheld.iter().find(|withheld| withheld.key == *key);
        let reason = why.map_or("the image does not have it".to_owned(), |withheld| withheld.reason.clone());
        return Err(wrong(key, format!("SCS-0102 demands it, and it is withheld: {reason}")));
    }
    if let Some(value) = image.value("architecture").filter(|value| !ARCHITECTURES.contains(value)) {
        return Err(wrong(
            "architecture",
            format!("SCS-0102 takes {}, the image is {value}", ARCHITECTURES.join(", ")),
        ));
    }
    let mandatory = FIELDS.iter().filter(|field| field.is_mandatory && field.key != "min_ram").map(|field| field.key);
    let mut absent: Vec<&str> = mandatory.filter(|key| missing(key)).collect();
    absent.extend(image.min_ram.is_none().then_some("min_ram"));
    if !absent.is_empty() {
        let help = format!("give --policy {}=VALUE", absent.join("=VALUE --policy "));
        return Err(wrong(&absent.join(", "), "SCS-0102 demands it".to_owned()).help(help));
    }
    let least = image.size.map_or(1, |size| size.div_ceil(GIB)).max(1);
    image.min_disk = Some(image.min_disk.unwrap_or(least).max(least));
    Ok(())
}

fn wrong(key: &str, cause: String) -> Error {
    Error::unsupported(key, cause)
}

fn is_text(text: &str) -> bool {
    (1..=255).contains(&text.chars().count()) && !text.trim().is_empty() && !text.contains(char::is_control)
}

fn is_count(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `YYYY-MM-DD` of the Gregorian calendar, from 1970 on.
pub(super) fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |part: &str, length: usize| {
        let is = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        is.then(|| part.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let every = |years: u32| year.is_multiple_of(years);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if every(4) && (!every(100) || every(400)) => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    year >= 1970 && (1..=days).contains(&day)
}

/// The standard's `DATE_FORMATS`: a day, with a time behind a blank, or all of ISO 8601 with `T`, seconds and `Z`.
fn is_moment(text: &str) -> bool {
    let part = |part: &str, end: u8| {
        part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok_and(|n| n < end)
    };
    let full = text.strip_suffix('Z').and_then(|text| text.split_once('T'));
    let Some((day, time)) = full.or_else(|| text.split_once(' ')) else { return is_day(text) };
    let is_time = match time.split(':').collect::<Vec<_>>().as_slice() {
        [hour, minute] => full.is_none() && part(hour, 24) && part(minute, 60),
        [hour, minute, second] => part(hour, 24) && part(minute, 60) && part(second, 60),
        _ => false,
    };
    is_day(day) && is_time
}

fn is_validity(text: &str) -> bool {
    let is_number = |text: &str| is_count(text) && !text.starts_with('0');
    matches!(text, "none" | "notice" | "forever") || is_day(text) || text.strip_prefix("last-").is_some_and(is_number)
}

/// A URL with a host.
pub(super) fn is_url(text: &str) -> bool {
    let rest = ["https://", "http://", "ftps://", "ftp://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let begins = |c: char| c.is_ascii_alphanumeric() || c == '[';
    rest.is_some_and(|rest| rest.starts_with(begins) && !rest.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;
    use crate::verdict::property::Withheld;

    /// The rules of the standard and of its test, value by value.
    const RULES: &[(&str, &[&str], &[&str])] = &[
        ("min_ram", &["1", "512"], &["0", "-1", "1.5", "", "x", "9999999999"]),
        ("os_purpose", PURPOSES, &["Generic", "server", "", "k8s"]),
        ("replace_frequency", FREQUENCIES, &["Monthly", "hourly", "yearly "]),
        (
            "uuid_validity",
            &["none", "notice", "forever", "last-3", "last-10", "2027-12-31"],
            &[
                "last-",
                "last-x",
                "last--1",
                "last-0",
                "last-03",
                "2027-13-01",
                "2027-02-29",
                "1969-12-31",
                "Forever",
                "20271231",
            ],
        ),
        ("provided_until", &["none", "notice", "2028-02-29"], &["forever", "last-3", "2027-02-29", "soon", "2027-1-1"]),
        ("hotfix_hours", &["0", "48"], &["-1", "1.5", "48h", "+3"]),
        (
            "image_source",
            &["private", "https://images.example.org/x", "http://a", "ftp://a/b", "ftps://a"],
            &["Private", "file:///x", "https://", "https:// a", "images.example.org", "HTTPS://a"],
        ),
        ("image_description", &["https://a", "some text"], &["", "   ", "a\nb"]),
        (
            "image_build_date",
            &["2026-01-31", "2026-01-31 10:30", "2026-01-31 10:30:59", "2026-01-31T10:30:59Z"],
            &[
                "2026-01-32",
                "2026-01-31 24:00",
                "2026-01-31T10:30Z",
                "2026-01-31T10:30:59",
                "2026-01-31 1:2",
                "2026-01-31 10:30Z",
                "31.01.2026",
            ],
        ),
        ("image_original_user", &["debian", "none"], &["", "\t"]),
        ("license_included", &["true", "false"], &["yes", "True", "1"]),
        ("subscription_required", &["true"], &["TRUE"]),
        ("maintained_until", &["2030-06-30"], &["none", "notice", "2030"]),
        ("l1_support_contact", &["mailto:help@example.com"], &[""]),
        ("patchlevel", &["6.1.0-40"], &[""]),
    ];

    #[test]
    fn rules() {
        for (key, right, wrong) in RULES {
            for (value, is) in right.iter().map(|value| (value, true)).chain(wrong.iter().map(|value| (value, false))) {
                assert_eq!(Policy::default().set(key, value).is_ok(), is, "{key}={value:?}");
            }
        }
        assert!(Policy::default().set("os_puprose", "generic").unwrap_err().help.unwrap().contains("os_purpose"));
        let mut policy = Policy::default();
        policy.set("license_included", "true").unwrap();
        assert!(policy.set("license_required", "true").is_err());
        policy.set("license_required", "false").unwrap();
    }

    fn full() -> Policy {
        let mut policy = Policy::default();
        for (key, value) in [
            ("min_ram", "512"),
            ("os_purpose", "generic"),
            ("replace_frequency", "monthly"),
            ("uuid_validity", "last-3"),
            ("provided_until", "none"),
            ("image_source", "private"),
            ("image_description", "text"),
            ("image_build_date", "2026-01-31"),
            ("image_original_user", "debian"),
        ] {
            policy.set(key, value).unwrap();
        }
        policy
    }

    const EARNED: &[(&str, &str)] =
        &[("architecture", "x86_64"), ("os_version", "13"), ("os_distro", "debian"), ("hw_disk_bus", "scsi")];

    #[test]
    fn a_missing_mandatory_one_is_named() {
        let policy = full();
        assert_eq!(policy.missing(), <[&str; 0]>::default());
        let mut whole = Manifest { size: Some(GIB + 1), min_disk: Some(1), ..image("n", EARNED) };
        policy.fill(&mut whole);
        scs(&mut whole).unwrap();
        assert_eq!((whole.min_disk, whole.min_ram), (Some(2), Some(512)));
        for field in FIELDS.iter().filter(|field| field.is_mandatory) {
            let mut less = policy.clone();
            less.values.remove(field.key);
            let is_asked = less.missing() == [field.key];
            assert_eq!(is_asked, field.key != "image_original_user", "{}", field.key);
            let mut image = Manifest { min_ram: None, ..image("n", EARNED) };
            less.fill(&mut image);
            let error = scs(&mut image).unwrap_err();
            assert_eq!(error.what, field.key);
            assert!(error.help.unwrap().contains(&format!("--policy {}=VALUE", field.key)));
        }
        for (key, _) in EARNED {
            let rest: Vec<_> = EARNED.iter().copied().filter(|(other, _)| other != key).collect();
            let withheld = [Withheld { key: "hw_disk_bus", value: None, check: None, reason: "no driver".to_owned() }];
            let mut image = Manifest { withheld: &withheld, ..image("n", &rest) };
            policy.fill(&mut image);
            let error = scs(&mut image).unwrap_err();
            assert_eq!((error.what.as_str(), error.to_string().contains("no driver")), (*key, *key == "hw_disk_bus"));
        }
    }

    #[test]
    fn the_test_of_the_standard_knows_three_architectures() {
        let rows: Vec<_> =
            EARNED.iter().map(|(key, value)| (*key, if *key == "architecture" { "s390x" } else { *value })).collect();
        let policy = full();
        let mut image = image("n", &rows);
        policy.fill(&mut image);
        assert_eq!(scs(&mut image).unwrap_err().what, "architecture");
    }
}
