//! docs/schemas: made from the structs that are written, so that no field is missing; `BOOTWORTHY_UPDATE=1` renews them.

use super::valid;
use crate::common::{bootworthy, fixture, image};
use bootworthy::error::ErrorKind;
use bootworthy::guest::SCHEMA;
use bootworthy::report::proofs::{Disagreement, Phase, Proof, Standing, Trial};
use bootworthy::report::{Reported as _, Style};
use bootworthy::verdict::profile::Severity;
use bootworthy::verdict::{About, Outcome, Word};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What every report has in common.
const PARTS: &str = "src/report/json_parts.rs";

struct Field {
    name: String,
    told: String,
    kind: String,
    is_required: bool,
}

struct Struct {
    name: String,
    told: String,
    fields: Vec<Field>,
}

/// The structs of a source file, as rustfmt lays them out.
fn structs(source: &str) -> Vec<Struct> {
    let mut found: Vec<Struct> = Vec::new();
    let (mut told, mut attributes, mut is_inside) = (Vec::new(), String::new(), false);
    for line in source.lines() {
        let text = line.trim();
        let head = text
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub ")
            .strip_prefix("struct ")
            .and_then(|rest| rest.strip_suffix(" {"));
        if let Some(doc) = text.strip_prefix("/// ") {
            told.push(doc);
            continue;
        } else if text.starts_with("#[") {
            attributes += text;
            continue;
        } else if let Some(name) = head.filter(|_| !line.starts_with(' ')) {
            let name = name.trim_end_matches("<'a>");
            is_inside = !name.contains('<') && attributes.contains("Serialize");
            if is_inside {
                found.push(Struct { name: name.to_owned(), told: told.join(" "), fields: Vec::new() });
            }
        } else if line == "}" {
            is_inside = false;
        } else if let Some((name, kind)) = text.split_once(": ").filter(|_| is_inside) {
            let renamed = attributes.split("rename = \"").nth(1).and_then(|rest| rest.split('"').next());
            let name = renamed.unwrap_or(name.trim_start_matches("pub ")).to_owned();
            let kind = kind.strip_suffix(',').unwrap_or_else(|| panic!("{line}")).to_owned();
            let is_required = !attributes.contains("default") && !attributes.contains("skip_serializing_if");
            let field = Field { name, told: told.join(" "), kind, is_required };
            found.last_mut().unwrap().fields.push(field);
        }
        told.clear();
        attributes.clear();
    }
    found
}

fn words<T: serde::Serialize>(values: impl IntoIterator<Item = T>) -> Value {
    json!({ "enum": values.into_iter().map(|value| serde_json::to_value(value).unwrap()).collect::<Vec<_>>() })
}

/// What a Rust type is in JSON.
fn kind(rust: &str) -> Value {
    let rust = rust.trim_start_matches("&'a ").trim_start_matches("&'static ").trim_end_matches("<'a>");
    let or = |inner: &str, other: Value| json!({ "anyOf": [kind(inner), other] });
    let array = |inner: &str| json!({ "type": "array", "items": kind(inner) });
    if let Some(inner) = rust.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return array(inner);
    }
    match rust {
        "String" | "str" => json!({ "type": "string" }),
        "bool" => json!({ "type": "boolean" }),
        "u64" | "usize" => json!({ "type": "integer", "minimum": 0 }),
        "u32" => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        "i64" => json!({ "type": "integer" }),
        // The value of a property.
        "Value" => json!({ "type": ["string", "integer"] }),
        "Map<String, Value>" => json!({ "type": "object", "additionalProperties": kind("Value") }),
        "Packaged" => json!({ "type": ["string", "null"] }),
        "About" => words([About::Image, About::Manifest]),
        "Severity" => words(Severity::ALL),
        "Word" => words([Word::Pass, Word::NotApplicable, Word::Unknown, Word::Fail]),
        "Standing" => words(Standing::ALL),
        "Outcome" => words([Outcome::Fit, Outcome::Unfit, Outcome::Unknown]),
        "ErrorKind" => {
            words([ErrorKind::Io, ErrorKind::Corrupt, ErrorKind::Unsupported, ErrorKind::TooLarge, ErrorKind::NotFound])
        }
        _ => match rust.split_once('<').map(|(outer, inner)| (outer, inner.strip_suffix('>').unwrap())) {
            Some(("Option", inner)) => or(inner, json!({ "type": "null" })),
            Some(("Vec", inner)) => array(inner),
            Some(("Fact", inner)) => or(inner, json!({ "$ref": "#/$defs/Unknown" })),
            Some(("Listing", inner)) => {
                let gaps = json!({
                    "type": "object",
                    "properties": { "items": array(inner), "gaps": array("Gap") },
                    "required": ["items", "gaps"],
                    "additionalProperties": false,
                });
                or(&format!("Vec<{inner}>"), gaps)
            }
            Some((outer, _)) => panic!("what is {outer} in JSON?"),
            None => json!({ "$ref": format!("#/$defs/{rust}") }),
        },
    }
}

fn object(of: &Struct) -> Value {
    let mut properties = Map::new();
    for field in &of.fields {
        let mut shape = kind(&field.kind);
        if !field.told.is_empty() {
            shape["description"] = json!(field.told);
        }
        properties.insert(field.name.clone(), shape);
    }
    let required: Vec<&String> = of.fields.iter().filter(|field| field.is_required).map(|field| &field.name).collect();
    let mut shape =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    if !of.told.is_empty() {
        shape["description"] = json!(of.told);
    }
    shape
}

/// The schema of `top`, its `schema` field being `name`, from the structs of these files.
fn schema(name: &str, top: &str, told: &str, sources: &[&str]) -> Value {
    let mut definitions = Map::new();
    for source in sources {
        for found in structs(&fs::read_to_string(source).unwrap()) {
            definitions.insert(found.name.clone(), object(&found));
        }
    }
    let unknown = json!({ "type": "object", "properties": { "unknown": { "$ref": "#/$defs/Gap" } }, "required": ["unknown"], "additionalProperties": false, "description": "A value that could not be had, and why." });
    definitions.insert("Unknown".to_owned(), unknown);
    definitions[top]["properties"]["schema"] = json!({ "const": name });
    // What nothing refers to is of no use to a reader.
    loop {
        let text = serde_json::to_string(&definitions).unwrap();
        let names: Vec<String> = definitions.keys().cloned().collect();
        let unused = |name: &&String| name.as_str() != top && !text.contains(&format!("\"#/$defs/{name}\""));
        let Some(unused) = names.iter().find(unused) else { break };
        definitions.remove(unused);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "description": told,
        "$ref": format!("#/$defs/{top}"),
        "$defs": definitions,
    })
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas").join(name)
}

fn facts() -> Value {
    let mut sources: Vec<String> = fs::read_dir("src/guest/facts")
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .chain(["src/fact.rs".to_owned()])
        .collect();
    sources.sort();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let told = "Everything that is known of one image, as `bootworthy inspect` prints it. A missing field is unknown.";
    schema(SCHEMA, "Guest", told, &sources)
}

fn report() -> Value {
    let told = "The verdict on one image, as `bootworthy check --format json` and each line of `--format ndjson` have it; \
                for several images JSON is an array of these.";
    schema("bootworthy.report/1", "JsonReport", told, &["src/report/json.rs", PARTS, "src/verdict/assess.rs"])
}

fn lint() -> Value {
    let told = "What is said of one manifest, as `bootworthy lint --format json` and each line of `--format ndjson` \
                have it; for several manifests JSON is an array of these.";
    schema("bootworthy.lint/1", "JsonLint", told, &["src/report/json.rs", PARTS, "src/verdict/assess.rs"])
}

fn features() -> Value {
    let told = "What one image has for each feature, as `bootworthy features --format json` prints it; for several \
                images it is an array of these.";
    schema("bootworthy.features/1", "JsonSheet", told, &["src/report/features/json.rs", PARTS])
}

fn boot() -> Value {
    let told = "What the boot of one image showed, as `bootworthy boot --format json` prints it.";
    schema("bootworthy.boot/1", "JsonTrial", told, &["src/report/proofs/json.rs", PARTS])
}

#[test]
fn schemas_are_current() {
    let all = [
        ("facts.json", facts()),
        ("report.json", report()),
        ("lint.json", lint()),
        ("features.json", features()),
        ("boot.json", boot()),
    ];
    for (name, current) in all {
        let text = serde_json::to_string_pretty(&current).unwrap() + "\n";
        if std::env::var_os("BOOTWORTHY_UPDATE").is_some() {
            fs::write(path(name), text).unwrap();
        } else {
            let standing = fs::read_to_string(path(name)).unwrap_or_default();
            assert!(standing == text, "docs/schemas/{name} is stale; run BOOTWORTHY_UPDATE=1 tests/run schemas");
        }
    }
}

#[test]
fn every_field_is_refused_that_is_not_in_the_schema() {
    fn closed(schema: &Value) -> bool {
        let own = schema.get("type") != Some(&json!("object"))
            || schema.get("additionalProperties").is_some_and(|other| *other != json!(true));
        let inner = match schema {
            Value::Object(map) => map.values().all(closed),
            Value::Array(items) => items.iter().all(closed),
            _ => true,
        };
        own && inner
    }
    for schema in [facts(), report(), lint(), features(), boot()] {
        let open: Vec<_> = schema["$defs"].as_object().unwrap().iter().filter(|(_, shape)| !closed(shape)).collect();
        assert!(open.is_empty(), "{open:?}");
    }
}

/// Manifests with findings, without any, and some that cannot be read.
const MANIFESTS: &[(&str, &str)] = &[
    ("good.json", r#"{"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi", "os_version": "12"}"#),
    ("false.json", "{\n  \"hw_watchdog_action\": \"reset\",\n  \"hw_dsik_bus\": \"scsi\",\n  \"min_disk\": -1\n}"),
    ("main.tf", "resource \"openstack_images_image_v2\" \"a\" {\n  properties = { hw_disk_bus = var.bus }\n}\n"),
    ("bad.json", "{"),
];

#[test]
fn what_is_said_of_manifests_and_features_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let manifests: Vec<String> = MANIFESTS.iter().map(|(name, text)| write(name, text)).collect();
    let config = "[severity]\nname-misspelt = \"note\"\n[[ignore]]\ncheck = \"minimum-refused\"\nreason = \"r\"\n\
                  [[ignore]]\ncheck = \"name-reserved\"\nreason = \"r\"\nexpires = \"2020-01-01\"\n";
    let config = write("bootworthy.toml", config);
    let mut lints = Vec::new();
    for flags in [&["lint", "--format=ndjson"][..], &["lint", "--format=ndjson", "--config", &config]] {
        let run = bootworthy(flags.iter().copied().chain(manifests.iter().map(String::as_str)));
        assert_eq!(run.stdout.lines().count(), MANIFESTS.len(), "{}", run.stderr);
        lints.push(write(&format!("lint-{}.ndjson", lints.len()), &run.stdout));
    }
    valid(&path("lint.json"), &lints);
    let mut reports = Vec::new();
    for manifest in &manifests[..3] {
        for image in ["fixtures/good.qcow2", "fixtures/broken.qcow2", "Cargo.toml"] {
            let run = bootworthy(["check", "--format=json", "--manifest", manifest, "--config", &config, image]);
            reports.push(write(&format!("report-{}.json", reports.len()), &run.stdout));
        }
    }
    valid(&path("report.json"), &reports);
    let mut sheets = Vec::new();
    for image in ["fixtures/good.qcow2", "fixtures/broken.qcow2", "Cargo.toml"] {
        let run = bootworthy(["features", "--format=json", image]);
        sheets.push(write(&format!("sheet-{}.json", sheets.len()), &run.stdout));
    }
    valid(&path("features.json"), &sheets);
}

#[test]
fn proofs_that_are_written_are_valid() {
    let proof = |standing: Standing| Proof {
        id: "queues",
        summary: "the network card uses as many queues as the guest has processors",
        decides: vec![("multiqueue-kernel", Word::Pass), ("initrd-virtio-net", Word::NotApplicable)],
        is_promised: standing != Standing::NotApplicable,
        standing,
        evidence: "Combined \u{1b}[31m1\u{202e} of 2".to_owned(),
        millis: u64::MAX,
    };
    let whole = Trial {
        path: "a\\xff.qcow2".to_owned(),
        machine: Some("machine pc".to_owned()),
        remarks: vec!["QEMU translates".to_owned()],
        phases: vec![Phase { name: "kernel", millis: 1 }],
        proofs: Standing::ALL.map(proof).to_vec(),
        disagreements: vec![Disagreement {
            check: "multiqueue-kernel",
            verdict: Word::Pass,
            proof: "queues",
            standing: Standing::Disproved,
            evidence: "Combined 1 of 2".to_owned(),
        }],
        result: Outcome::Unfit,
        error: None,
    };
    let none = Trial {
        machine: None,
        remarks: Vec::new(),
        phases: Vec::new(),
        proofs: Vec::new(),
        disagreements: Vec::new(),
        result: Outcome::Unknown,
        error: Some(bootworthy::error::Error::not_found("QEMU").because("it is not in PATH").help("install it")),
        ..whole.clone()
    };
    let folder = tempfile::TempDir::new().unwrap();
    let json = Trial::FORMATS.iter().find(|format| format.name == "json").unwrap();
    let written = [whole, none].into_iter().enumerate().map(|(index, trial)| {
        let path = folder.path().join(format!("{index}.json"));
        fs::write(&path, (json.write)(&trial, Style::default())).unwrap();
        path
    });
    valid(&path("boot.json"), &written.collect::<Vec<_>>());
}

#[test]
fn what_is_written_is_valid() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: String, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let files = |folder: &str| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut saved = [files("fixtures/guests"), files("fixtures/guests/stock")].concat();
    saved.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    saved.sort();
    let mut reports = Vec::new();
    for facts in &saved {
        for profile in ["openstack", "bootable"] {
            let run = bootworthy([
                "check",
                "--format=json",
                "--set=full",
                "--profile",
                profile,
                "--facts",
                facts.to_str().unwrap(),
            ]);
            reports.push(write(format!("{}.json", reports.len()), &run.stdout));
        }
    }
    let images = ["fixtures/good.qcow2", "fixtures/broken.qcow2", "src", "Cargo.toml", "no such file", "fixtures"];
    let real = ["debian12", "debian13"].map(|name| image(name).to_str().unwrap().to_owned());
    let run = bootworthy(
        ["check", "--format=ndjson", "--with=os_require_quiesce"]
            .into_iter()
            .chain(images)
            .chain(real.iter().map(String::as_str)),
    );
    assert_eq!(run.stdout.lines().count(), images.len() + real.len());
    reports.push(write("all.ndjson".to_owned(), &run.stdout));
    valid(&path("report.json"), &reports);

    let paths = [fixture("good.qcow2"), fixture("broken.qcow2"), PathBuf::from("fixtures")];
    for path in paths.iter().chain(&real.map(PathBuf::from)) {
        let run = bootworthy(["inspect", path.to_str().unwrap()]);
        saved.push(write(format!("facts-{}.json", saved.len()), &run.stdout));
    }
    valid(&path("facts.json"), &saved);
}
