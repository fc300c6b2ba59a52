//! The JSON Schema of recipes against the program.

use super::recipes;
use bootworthy::build::recipe::schema;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Reads `[schema, [text…]]`, writes for each text whether the schema takes it.
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
json.dump([validator.is_valid(plain(tomllib.loads(text))) for text in texts], sys.stdout)
";

fn judged(texts: &[String]) -> Vec<bool> {
    let python =
        std::env::var_os("BOOTWORTHY_PYTHON").expect("BOOTWORTHY_PYTHON is not set; run the tests with tests/run");
    let mut command = Command::new(python);
    let mut child = command.args(["-c", JUDGE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    child.stdin.take().unwrap().write_all(json!([schema, texts]).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "jsonschema is needed by this test; run tests/run");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_schema_takes_what_the_program_takes() {
    let texts: Vec<String> = recipes().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(judged(&texts), vec![true; texts.len()]);
}

/// What is wrong with one key alone is wrong by the schema too.
#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let good = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/debian-13.toml")).unwrap();
    let bad: Vec<String> = [
        ("bootworthy.recipe/1", "bootworthy.recipe/9"),
        ("name = \"debian-13\"", "name = \"../x\""),
        ("name = \"debian-13\"", "nome = \"debian-13\""),
        ("\"watchdog\"", "\"watchdoge\""),
        ("\"x86_64\"", "\"vax\""),
        ("suite = \"trixie\"", "suite = \"trixie\"\nmirror = \"ftp://x\""),
        ("\"linux-image-cloud-amd64\"", "\"-oAPT::x=y\""),
        ("firmware = [\"bios\", \"uefi\"]", "firmware = [\"coreboot\"]"),
        ("cmdline = [\"console=tty0\"", "cmdline = [\"a b\""),
        ("[boot]", "[boot]\ntimeout = 1000"),
        ("size = \"4 GiB\"", "size = \"4 GB\""),
        ("filesystem = \"ext4\"", "filesystem = \"zfs\""),
        ("[boot]", "[[user]]\nname = \"Root\"\n[boot]"),
        ("[boot]", "[[user]]\nname = \"a\"\npassword_hash = \"secret\"\n[boot]"),
        ("[boot]", "[user]\nname = \"a\"\n[boot]"),
        ("[boot]", "[[file]]\npath = \"/x\"\ntext = \"\"\nmode = 420\n[boot]"),
        ("[boot]", "[[command]]\nrun = \"x\"\nenvironment = { 1A = \"x\" }\n[boot]"),
        ("[boot]", "[units]\nenable = [\"--now\"]\n[boot]"),
        ("[boot]", "[policy]\nos_porpose = \"generic\"\n[boot]"),
    ]
    .iter()
    .map(|(from, to)| good.replacen(from, to, 1))
    .collect();
    assert_eq!(judged(&bad), vec![false; bad.len()]);
}
