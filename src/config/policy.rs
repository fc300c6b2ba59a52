//! What nobody can read from an image and its publisher must say: SCS-0102's promises (`Standards/scs-0102-v2-image-metadata.md`).

use super::date::Date;
use super::node::Node;
use crate::error::Result;
use serde_json::{Value, json};

/// A promise.
#[derive(Debug)]
pub struct Promise {
    /// Glance's key.
    pub key: &'static str,
    /// What it says.
    pub summary: &'static str,
    rule: Rule,
}

/// What its value may be.
#[derive(Debug)]
enum Rule {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A day, or one of these words.
    Day(&'static [&'static str]),
    /// `none`, `last-N`, a day, `notice`, `forever`.
    Validity,
    /// A day and perhaps a time of day.
    Moment,
    /// A place to download from, or `private`.
    Link,
    /// Anything that Glance stores.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Truth,
}

/// Characters of one value: as many as `--with` takes.
const MAX_VALUE: usize = 255;

/// Every promise that `[policy]` may make, in SCS-0102's order.
pub const PROMISES: &[Promise] = &[
    Promise { key: "min_ram", summary: "the least memory that an instance needs, in MiB", rule: Rule::Number },
    Promise { key: "os_purpose", summary: "what the image is for", rule: Rule::OneOf(PURPOSES) },
    Promise { key: "replace_frequency", summary: "how often it is replaced", rule: Rule::OneOf(FREQUENCIES) },
    Promise { key: "uuid_validity", summary: "how long its id stays valid", rule: Rule::Validity },
    Promise { key: "provided_until", summary: "until when it is offered", rule: Rule::Day(&["none", "notice"]) },
    Promise { key: "hotfix_hours", summary: "hours until a critical fix is in the image", rule: Rule::Number },
    Promise { key: "image_source", summary: "where it comes from: a URL, or private", rule: Rule::Link },
    Promise { key: "image_description", summary: "a URL or a text that describes it", rule: Rule::Text },
    Promise { key: "image_build_date", summary: "when it was built, in UTC", rule: Rule::Moment },
    Promise { key: "image_original_user", summary: "who may log in, or none", rule: Rule::Text },
    Promise { key: "patchlevel", summary: "its patch level", rule: Rule::Text },
    Promise { key: "license_included", summary: "a licence is part of the price", rule: Rule::Truth },
    Promise { key: "license_required", summary: "the user brings a licence", rule: Rule::Truth },
    Promise { key: "subscription_included", summary: "a subscription is part of the price", rule: Rule::Truth },
    Promise { key: "subscription_required", summary: "the user brings a subscription", rule: Rule::Truth },
    Promise { key: "maintained_until", summary: "until when its maker maintains it", rule: Rule::Day(&[]) },
    Promise { key: "l1_support_contact", summary: "a URI of the first level of support", rule: Rule::Text },
];

const PURPOSES: &[&str] = &["generic", "oldgeneric", "minimal", "k8snode", "gpu", "network", "custom"];
const FREQUENCIES: &[&str] = &["yearly", "quarterly", "monthly", "weekly", "daily", "critical_bug", "never"];
const SCHEMES: &[&str] = &["https://", "http://", "ftps://", "ftp://"];

impl Promise {
    /// The value as Glance stores it.
    pub(super) fn read(&self, node: &Node<'_>) -> Result<String> {
        match self.rule {
            Rule::OneOf(words) => node.one_of(words).map(str::to_owned),
            Rule::Truth => node.truth().map(|truth| truth.to_string()),
            Rule::Number => node.number().map(|number| number.to_string()),
            Rule::Day(words) => checked(node, node.date()?, &days(words), |text| is_day(text) || words.contains(&text)),
            Rule::Validity => checked(node, node.date()?, "none, last-N, YYYY-MM-DD, notice or forever", is_validity),
            Rule::Moment => {
                checked(node, node.date()?, "YYYY-MM-DD, YYYY-MM-DD hh:mm or YYYY-MM-DD hh:mm:ss", is_moment)
            }
            Rule::Link => checked(node, node.text()?.to_owned(), "a http, https, ftp or ftps URL, or private", is_link),
            Rule::Text => {
                checked(node, node.text()?.to_owned(), "1 to 255 characters, not all of them blank", |_| true)
            }
        }
    }

    /// What the value may be, as JSON Schema.
    pub(super) fn schema(&self) -> Value {
        let pattern = |pattern: &str| json!({ "type": "string", "maxLength": MAX_VALUE, "pattern": pattern });
        let mut schema = match self.rule {
            Rule::OneOf(words) => json!({ "enum": words }),
            Rule::Truth => json!({ "type": "boolean" }),
            Rule::Number => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            Rule::Day(words) => pattern(&format!("^({})$", [&[DAY], words].concat().join("|"))),
            Rule::Validity => pattern(&format!("^(none|last-[1-9][0-9]{{0,8}}|{DAY}|notice|forever)$")),
            Rule::Moment => pattern(&format!("^{DAY}([ T]{TIME})?Z?$")),
            Rule::Link => pattern("^(private|(https?|ftps?)://[^ ]+)$"),
            Rule::Text => pattern("[^ \\t]"),
        };
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(self.summary));
        }
        schema
    }
}

/// A day in a JSON Schema's pattern, as far as one can count there: every month has 31.
pub(super) const DAY: &str = "(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
/// A time of day in a JSON Schema's pattern.
const TIME: &str = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?";

fn days(words: &[&str]) -> String {
    ["a day such as 2026-12-31"].iter().chain(words).copied().collect::<Vec<_>>().join(" or ")
}

fn checked(node: &Node<'_>, text: String, expected: &str, is_right: impl Fn(&str) -> bool) -> Result<String> {
    let is_sound = !text.trim().is_empty() && text.chars().count() <= MAX_VALUE && !text.contains(char::is_control);
    if is_sound && is_right(&text) { Ok(text) } else { Err(node.wrong(expected)) }
}

fn is_day(text: &str) -> bool {
    Date::parse(text).is_some()
}

fn is_validity(text: &str) -> bool {
    let is_count = |count: &str| {
        count.len() <= 9 && !count.starts_with('0') && count.parse::<u32>().is_ok() && !count.starts_with('+')
    };
    matches!(text, "none" | "notice" | "forever") || is_day(text) || text.strip_prefix("last-").is_some_and(is_count)
}

fn is_moment(text: &str) -> bool {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let Some((day, time)) = text.split_once([' ', 'T']) else { return is_day(text) };
    let below = |part: &str, end: u8| {
        part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u8>().is_ok_and(|n| n < end)
    };
    let is_time = match time.split(':').collect::<Vec<_>>().as_slice() {
        [hour, minute] => below(hour, 24) && below(minute, 60),
        [hour, minute, second] => below(hour, 24) && below(minute, 60) && below(second, 60),
        _ => false,
    };
    is_day(day) && is_time
}

fn is_link(text: &str) -> bool {
    let host = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
    text == "private" || host.is_some_and(|host| !host.is_empty() && !host.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Table = (fn(&str) -> bool, &'static [(&'static str, bool)]);

    #[test]
    fn values_that_are_told_apart() {
        let tables: [Table; 3] = [
            (
                is_validity,
                &[
                    ("none", true),
                    ("last-3", true),
                    ("last-0", false),
                    ("last-", false),
                    ("last-+3", false),
                    ("last-03", false),
                    ("2026-12-31", true),
                    ("2026-02-30", false),
                    ("notice", true),
                    ("Forever", false),
                ],
            ),
            (
                is_moment,
                &[
                    ("2026-03-01", true),
                    ("2026-03-01 12:30", true),
                    ("2026-03-01T12:30:59Z", true),
                    ("2026-03-01 24:00", false),
                    ("2026-03-01 1:00", false),
                    ("2026-03-01 10", false),
                ],
            ),
            (
                is_link,
                &[
                    ("private", true),
                    ("https://cloud.debian.org/images", true),
                    ("https://", false),
                    ("https://a b", false),
                    ("file:///etc/passwd", false),
                    ("cloud.debian.org", false),
                ],
            ),
        ];
        for (is_right, rows) in tables {
            for (text, expected) in rows {
                assert_eq!(is_right(text), *expected, "{text}");
            }
        }
    }
}
