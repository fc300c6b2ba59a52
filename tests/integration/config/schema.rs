//! The JSON Schema against the program: what one refuses, so does the other, as far as a schema can tell.

use super::bad::BAD;
use crate::common::fixture;
use bootworthy::config::{Config, KEYS, schema};
use bootworthy::manifest::policy::FIELDS;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Reads `[schema, [text…]]`, writes for each text `toml` (no TOML), `schema` (refused) or `good`.
const JUDGE: &str = r"
import datetime, json, sys, tomllib
import jsonschema
schema, texts = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
def plain(value):
    if isinstance(value, dict): return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list): return [plain(inner) for inner in value]
    if isinstance(value, (datetime.date, datetime.time)): return value.isoformat()
    return value
def judge(text):
    try: document = plain(tomllib.loads(text))
    except tomllib.TOMLDecodeError: return 'toml'
    return 'good' if validator.is_valid(document) else 'schema'
json.dump([judge(text) for text in texts], sys.stdout)
";

fn judged(texts: &[&str]) -> Vec<String> {
    let python =
        std::env::var_os("BOOTWORTHY_PYTHON").expect("BOOTWORTHY_PYTHON is not set; run the tests with tests/run");
    let mut child = Command::new(python)
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("jsonschema is needed by this test; run tests/run");
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    child.stdin.take().unwrap().write_all(json!([schema, texts]).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Parts of messages about what a schema cannot tell: how long February is, which keys contradict each other, and
/// what a property's own values are.
const BEYOND: &[&str] = &[
    "\"2026-02-30\"",
    " contradicts ",
    "a value has 1 to 255 characters",
    "Nova accepts fdc",
    "is all that can be earned",
    "a whole number is expected",
];

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let texts: Vec<&str> = BAD.iter().map(|(text, ..)| *text).collect();
    let mut beyond = 0;
    for ((text, _, message), word) in BAD.iter().zip(judged(&texts)) {
        let expected = match message {
            message if message.starts_with("this is not TOML") => "toml",
            message if BEYOND.iter().any(|part| message.contains(part)) => "good",
            _ => "schema",
        };
        beyond += usize::from(expected == "good");
        assert_eq!(word, expected, "{text}\n{message}");
    }
    assert!(beyond <= 16, "{beyond} mistakes are beyond the schema");
}

#[test]
fn the_schema_takes_what_the_program_takes() {
    let example = fs::read_to_string(fixture("bootworthy.toml")).unwrap();
    let mut texts = vec![example, String::new()];
    for row in [
        "with = [\"os_version\", \"hw_disk_bus=scsi\"]",
        "with = { os_version = \"12\", hw_qemu_guest_agent = true, min_disk = 10 }",
        "with = {}\nwithout = []\nrequire = []\nrequire_in_initrd = []",
        "watchdog_action = \"none\"",
        "ignore = []",
        "ignore = [{ check = \"fstab-uuid\", reason = \"r\", expires = 2026-12-31 }]",
        "[policy]",
        "[policy]\nuuid_validity = 2026-12-31\nprovided_until = 2026-12-31\nimage_build_date = 2026-12-31T23:59:59",
        "policy.image_build_date = \"2026-03-01 12:30\"\npolicy.min_ram = 1\npolicy.license_included = false",
        "policy.image_source = \"private\"\npolicy.uuid_validity = \"last-10\"\npolicy.provided_until = \"notice\"",
        "[severity]\nfstab-uuid = \"off\"\n\"trim-enabled\" = 'error'",
    ] {
        texts.push(row.to_owned());
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (text, word) in texts.iter().zip(judged(&texts)) {
        assert_eq!(word, "good", "{text}");
        Config::parse("x", text, Path::new("/")).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
}

#[test]
fn keys_of_the_program_are_keys_of_the_schema() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let keys = |pointer: &str| -> Vec<String> {
        schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
    };
    let sorted = |mut names: Vec<&str>| -> Vec<String> {
        names.sort_unstable();
        names.into_iter().map(str::to_owned).collect()
    };
    assert_eq!(keys("/properties"), sorted(KEYS.iter().map(|key| key.name).collect()));
    let promises = sorted(FIELDS.iter().map(|field| field.key).collect());
    assert_eq!(keys("/properties/policy/properties"), promises);
    assert_eq!(keys("/properties/ignore/items/properties"), ["check", "expires", "image", "reason"]);
}
