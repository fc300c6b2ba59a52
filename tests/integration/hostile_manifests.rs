//! Names and values that break out of whatever is quoted wrongly, and what the formats make of them.

use bootworthy::manifest::{Format, Manifest, Property};

/// A key is any that Glance takes; each value stands under each key.
pub const KEYS: &[&str] = &[
    "hw_disk_bus",
    "trait:HW_CPU_X86_AVX2",
    "a b",
    "yes",
    "null",
    "1",
    "1.5",
    "<<",
    "- a",
    "#a",
    "a: b",
    "\"q\"",
    "'",
    "\\",
    "a/b~c",
    "${a}",
    "%{a}",
    "{{ a }}",
    "*a",
    "&a",
    "!a",
    "a=b",
    "caf\u{e9}",
    "a\nb",
    "\u{202e}",
    "for",
    "--property",
];

pub const VALUES: &[&str] = &[
    "",
    " ",
    "scsi",
    "yes",
    "true",
    "null",
    "~",
    "012",
    "1e3",
    "22.10",
    "2026-01-31",
    "12:30",
    "it's",
    "\"",
    "\\",
    "\\\"",
    "\\n",
    "a\nb",
    "\n",
    "a\r\nb",
    "\t a ",
    "# a",
    "a # b",
    "a: b",
    "- a",
    "--- a",
    "...",
    "${a}",
    "$${a}",
    "$$${a}",
    "%{ if a }",
    "%%{a}",
    "$%{a}",
    "$",
    "${",
    "{{ a }}",
    "{% a %}",
    "{# a #}",
    "{{",
    "!unsafe a",
    "!!python/object a",
    "&a",
    "*a",
    "|",
    ">",
    "[a]",
    "{a: b}",
    "$(id)",
    "`id`",
    "$HOME",
    "a;b&c|d>e<f",
    "<<EOF",
    "*?[a]~",
    "-a",
    "--name",
    "a=b=c",
    "=",
    "\u{1}\u{7}\u{1b}[31m",
    "\u{7f}\u{85}\u{9b}",
    "\u{2028}\u{2029}\u{feff}",
    "\u{202e}\u{2066}abc",
    "\u{1f600}\u{10ffff}",
    "caf\u{e9} \u{65e5}\u{672c}",
    "\u{fffd}\u{e000}",
];

/// An image with every value under a key, the n-th value under the n-th key and so on.
pub fn images() -> Vec<Manifest<'static>> {
    let rows = VALUES.iter().map(|value| Vec::from([("key", *value)]));
    let keyed = KEYS.iter().map(|key| Vec::from([(*key, "value")]));
    let whole = std::iter::once(VALUES.iter().zip(PLAIN).map(|(value, key)| (*key, *value)).collect());
    rows.chain(keyed).chain(whole).map(|rows| image("Image \"1\" $x ${y} 'z' \\", &rows)).collect()
}

/// Names without a trap, for an image with many values.
const PLAIN: &[&str] = &["k01", "k02", "k03", "k04", "k05", "k06", "k07", "k08", "k09", "k10", "k11", "k12"];

pub fn image(name: &'static str, rows: &[(&'static str, &'static str)]) -> Manifest<'static> {
    let property = |(key, value): &(&'static str, &'static str)| Property { key, value, evidence: Some(&["check-a"]) };
    Manifest {
        file: Some("-d \"isk\".qcow2"),
        size: Some(65_536),
        sha512: None,
        name,
        disk_format: Some("qcow2"),
        min_disk: Some(3),
        min_ram: Some(512),
        properties: rows.iter().map(property).collect(),
        withheld: &[],
    }
}

/// The manifest, or `None` where the format says that it cannot hold it.
pub fn written(format: &Format, image: &Manifest<'_>) -> Option<String> {
    match format.write(std::slice::from_ref(image)) {
        Ok(written) => Some(written.text),
        Err(error) => {
            assert!(error.cause.is_some() && !error.what.is_empty(), "{}: {error}", format.name);
            None
        }
    }
}

/// The properties of an image as they were written.
pub fn properties(image: &Manifest<'_>) -> Vec<(String, String)> {
    image.properties.iter().map(|row| (row.key.to_owned(), row.value.to_owned())).collect()
}
