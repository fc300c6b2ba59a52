//! Our machine against Nova's and libvirt's: `fixtures/oracles/devices.json.gz` says what they make of each instance.

use crate::cases::devices::{self, Row, Table, Translated};
use crate::cases::domains::Domain;
use bootworthy::boot::machine::{Accel, Flavor, Machine, Network, Wiring};
use flate2::read::GzDecoder;
use roxmltree::Document;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

/// What stays different, and why it may.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("uefi, stateless", "Debian's OVMF has no build without variables; ours are thrown away, and a note says so"),
    ("video qxl", "Debian's QEMU has no SPICE; no graphics card is made here"),
    ("iommu intel, q35", "it is not made, and a note says so"),
    ("iommu virtio, q35", "it is not made, and a note says so; libvirt 11.3 takes none of what Nova says of it"),
    ("card spapr-vlan", "libvirt passes it on to a QEMU that has none on x86"),
    ("redirected usb", "libvirt wants SPICE, which is nova.conf's; none is made, and a note says so"),
];

fn recorded() -> Table {
    let file = File::open(devices::path()).expect("fixtures/oracles/devices.json.gz: .ci/full oracles records it");
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
}

/// What the guest sees of a command line: one line for each thing, in whatever order it was said.
#[derive(Debug, Default)]
struct Seen(BTreeSet<String>);

/// Words of the command line in pairs, an option with its value.
fn pairs(words: &[String]) -> Vec<(&str, &str)> {
    let is_option = |word: &String| word.starts_with('-');
    let mut pairs = Vec::new();
    for (index, word) in words.iter().enumerate().filter(|(_, word)| is_option(word)) {
        let value = words.get(index + 1).filter(|next| !is_option(next)).map_or("", String::as_str);
        pairs.push((word.as_str(), value));
    }
    pairs
}

/// An option's value as QEMU reads it: JSON, or keys and values between commas.
fn fields(text: &str, first: &str) -> BTreeMap<String, String> {
    if text.starts_with('{') {
        let value: Map<String, Value> = serde_json::from_str(text).unwrap();
        return value.into_iter().map(|(key, value)| (key, word(&value))).collect();
    }
    let mut fields = BTreeMap::new();
    for (index, part) in text.split(',').enumerate() {
        let (key, value) = part.split_once('=').unwrap_or((if index == 0 { first } else { part }, part));
        fields.insert(key.to_owned(), value.to_owned());
    }
    fields
}

/// Of the graphics card only its place matters: nobody looks, and none is made.
fn is_video(device: &str) -> bool {
    device.contains("\"video0\"")
}

fn word(value: &Value) -> String {
    match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shown(fields: &BTreeMap<String, String>) -> String {
    fields.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

impl Seen {
    fn of(words: &[String]) -> Self {
        let pairs = pairs(words);
        let block = |pair: &&(&str, &str)| pair.0 == "-blockdev";
        let nodes: BTreeMap<String, BTreeMap<String, String>> = pairs
            .iter()
            .filter(block)
            .map(|(_, value)| fields(value, "driver"))
            .map(|node| (node["node-name"].clone(), node))
            .collect();
        let mut seen = Self::default();
        for (option, value) in &pairs {
            seen.add(option, value, &nodes);
        }
        seen
    }

    fn add(&mut self, option: &str, value: &str, nodes: &BTreeMap<String, BTreeMap<String, String>>) {
        let mut fields = fields(value, "");
        // What is the host's, or only holds the command line together.
        let forget: &[&str] = match option {
            "-device" if is_video(value) => &["max_outputs", "vgamem", "vgamem_mb"],
            "-device" => &["chardev", "netdev", "mac", "audiodev", "rng", "tpmdev"],
            // Ours: what a screen would show is read on the serial console.
            "-machine" if value == "graphics=off" => return,
            "-machine" => &["dump-guest-core", "memory-backend", "pflash0", "pflash1", "acpi", "pcspk-audiodev"],
            "-smp" => &["dies", "clusters"],
            "-cpu" => &[""],
            // The timer of KVM, which TCG has not.
            "-global" if value.starts_with("kvm-pit.") => return,
            "-smbios" => &["serial", "uuid"],
            "-boot" | "-rtc" | "-global" | "-watchdog-action" | "-m" => &[],
            _ => return,
        };
        fields.retain(|key, _| !forget.contains(&key.as_str()));
        if option == "-machine" {
            let firmware = if value.contains("pflash0=") { "uefi" } else { "bios" };
            fields.insert("firmware".to_owned(), firmware.to_owned());
        }
        fields.retain(|key, value| key != "id" || !value.is_empty());
        if let Some(drive) = fields.remove("drive") {
            fields.extend(disk(&nodes[&drive]));
        }
        self.0.insert(format!("{option} {}", shown(&fields)));
    }
}

/// What a disk shows: QEMU opens a file itself where its format is raw, and nothing is discarded of what is only read.
fn disk(node: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let said = |key: &str| node.get(key).map_or("", String::as_str);
    let format = if said("driver") == "file" { "raw" } else { said("driver") };
    let discard = if said("read-only") == "on" { "" } else { said("discard") };
    let rows = [("format", format), ("read-only", said("read-only")), ("discard", discard)];
    rows.map(|(key, value)| (format!("drive.{key}"), value.to_owned())).into()
}

/// What libvirt made of it, with what `domxml-to-native` forgets of the card.
fn theirs(row: &Row, words: &[String]) -> Seen {
    let seen = Seen::of(words);
    let document = Document::parse(&row.xml).unwrap();
    let card = document.descendants().find(|node| node.has_tag_name("interface")).unwrap();
    let driver = card.children().find(|node| node.has_tag_name("driver"));
    let said = |name| driver.and_then(|driver| driver.attribute(name));
    let mut more = Vec::new();
    if let Some(queues) = said("queues") {
        let queues: u64 = queues.parse().unwrap();
        // `qemuBuildNicDevProps`: two vectors a pair of queues, one for the configuration, one for the control queue.
        more.push(format!("mq=on vectors={}", 2 * queues + 2));
    }
    if said("packed") == Some("on") {
        more.push("packed=on".to_owned());
    }
    let is_card = |line: &String| line.contains(" driver=virtio-net-pci ");
    let added = |line: String| {
        let mut words: Vec<&str> = line.split(' ').collect();
        if is_card(&line) {
            words.extend(more.iter().flat_map(|text| text.split(' ')));
            words[1..].sort_unstable();
        }
        words.join(" ")
    };
    Seen(seen.0.into_iter().map(added).collect())
}

/// Ours, as a command line with every device, made here or not.
fn ours(domain: &Domain) -> Result<Seen, String> {
    let flavor = Flavor {
        vcpus: u32::try_from(domain.vcpus).unwrap(),
        ram_mib: domain.memory,
        extra_specs: domain.specs.clone(),
    };
    let machine = Machine::of(&domain.properties, &flavor).map_err(|error| error.to_string())?;
    if domain.config_drive && machine.promises.config_drive.is_none() {
        return Err(format!("no config drive: {:?}", machine.notes));
    }
    let is_uefi = serde_json::to_value(machine.firmware).unwrap() != "bios";
    let has_drive =
        domain.config_drive || domain.properties.get("img_config_drive").is_some_and(|wanted| wanted == "mandatory");
    let wiring = Wiring {
        folder: "/run/b".into(),
        base: "/base".into(),
        base_format: "qcow2",
        overlay: "/overlay".into(),
        config_drive: has_drive.then(|| "/config".into()),
        network: Network::Tap { name: "tap0".to_owned() },
        accel: Accel::Kvm,
        cpu: "max".to_owned(),
        firmware: is_uefi.then(|| ("/code".into(), "/variables".into())),
        tpm: Some("/tpm".into()),
    };
    let words: Vec<String> = machine.arguments(&wiring).into_iter().map(|word| word.into_string().unwrap()).collect();
    let mut seen = Seen::of(&words);
    // What is left out for want of a host's end keeps its place all the same.
    for device in serde_json::to_value(&machine).unwrap()["devices"].as_array().unwrap() {
        if device["left_out"].is_null() {
            continue;
        }
        let mut device = device.clone();
        let fields = device.as_object_mut().unwrap();
        let options = fields.remove("options").unwrap_or_default();
        fields.retain(|key, _| ["driver", "id", "bus", "addr"].contains(&key.as_str()));
        fields.extend(options.as_object().cloned().unwrap_or_default());
        seen.add("-device", &device.to_string(), &BTreeMap::new());
    }
    Ok(seen)
}

/// Every difference of a row.
fn differences(row: &Row) -> Vec<String> {
    let ours = ours(&row.domain);
    match (&row.qemu, ours) {
        (Some(Translated::Arguments(words)), Ok(ours)) => {
            let theirs = theirs(row, words);
            let missing = theirs.0.difference(&ours.0).map(|line| format!("theirs {line}"));
            let added = ours.0.difference(&theirs.0).map(|line| format!("ours   {line}"));
            missing.chain(added).collect()
        }
        (Some(Translated::Refused(reason)), Ok(_)) => vec![format!("libvirt refuses it: {reason}")],
        (None, Ok(_)) => vec![format!("Nova refuses it: {}", row.xml)],
        (Some(Translated::Refused(_)), Err(_)) => Vec::new(),
        // Of several exceptions it is a matter of order which one is told.
        (_, Err(error)) if row.refused.values().chain([&row.xml]).any(|exception| error.contains(exception)) => {
            Vec::new()
        }
        (_, Err(error)) => vec![format!("we refuse it: {error}; Nova: {} {:?}", row.xml, row.refused)],
    }
}

#[test]
fn devices_are_those_of_nova_and_libvirt() {
    let table = recorded();
    let cases: Vec<_> = table.rows.iter().map(|row| (row.name.clone(), row.domain.clone())).collect();
    assert!(cases == devices::cases(), "the cases have changed: BOOTWORTHY_RECORD=1 .ci/full oracles");
    let is_made = |row: &&Row| matches!(row.qemu, Some(Translated::Arguments(_)));
    assert!(table.rows.iter().filter(is_made).count() >= 100);
    let mut wrong = Vec::new();
    for row in &table.rows {
        let differences = differences(row);
        let is_excepted = EXCEPTIONS.iter().any(|(name, _)| *name == row.name);
        assert!(!is_excepted || !differences.is_empty(), "{}: no exception any more", row.name);
        if !is_excepted && !differences.is_empty() {
            wrong.push(format!("{}: {:?}\n  {}", row.name, row.domain, differences.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), table.rows.len(), wrong.join("\n"));
}
