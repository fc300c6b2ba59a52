//! Property sets that images have earned, and the devices that Nova's driver promises for each: `ask_nova.py` gives the
//! domain XML, `fixtures/oracles/domains.json.gz` keeps it for two of the images.

use crate::common::{Run, bootworthy, image, with_input};
use roxmltree::{Document, Node};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An instance: what Nova's driver is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Domain {
    pub vcpus: u64,
    pub memory: u64,
    pub specs: BTreeMap<String, String>,
    pub properties: BTreeMap<String, String>,
    /// Whether the user asks for one.
    pub config_drive: bool,
}

/// The recorded table: domains and their XML.
pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/domains.json.gz")
}

/// The images whose promises are in it.
pub const RECORDED: &[&str] = &["debian12", "debian13"];

/// What an image has earned under one choice of properties, and what was withheld.
#[derive(Clone, Debug)]
pub struct Promise {
    pub image: String,
    pub choice: Vec<&'static str>,
    pub properties: BTreeMap<String, String>,
    /// Each key with the value that was not earned, where there is one.
    pub withheld: Vec<(String, Option<String>)>,
}

/// Every set, every action and every opt-in, each with what it needs.
const CHOICES: &[&[&str]] = &[
    &["--set", "minimal"],
    &["--set", "recommended"],
    &["--set", "scs"],
    &["--set", "full"],
    &["--watchdog-action", "none"],
    &["--watchdog-action", "pause"],
    &["--watchdog-action", "poweroff"],
    &["--watchdog-action", "disabled"],
    &["--without", "hw_qemu_guest_agent", "--without", "hw_vif_multiqueue_enabled"],
    &["--without", "hw_watchdog_action"],
    &["--with", "hw_disk_bus=virtio"],
    &["--with", "hw_disk_bus=virtio", "--set", "full"],
    &["--with", "hw_cdrom_bus=scsi"],
    &["--with", "hw_cdrom_bus=sata", "--set", "full"],
    &["--with", "hw_cdrom_bus=sata", "--with", "hw_machine_type=q35"],
    &["--with", "hw_cdrom_bus=ide", "--with", "img_config_drive=mandatory"],
    &["--with", "img_config_drive=mandatory", "--with", "hw_machine_type=q35"],
    &["--with", "img_config_drive=optional"],
    &["--with", "hw_machine_type=q35", "--set", "full"],
    &["--with", "hw_machine_type=pc-i440fx-9.2"],
    &["--with", "hw_firmware_type=bios"],
    &["--with", "hw_firmware_type=uefi"],
    &["--with", "hw_firmware_type=uefi", "--with", "hw_machine_type=pc-q35-9.2", "--with", "os_secure_boot=disabled"],
    &["--with", "hw_rng_model", "--with", "hw_vif_model=virtio", "--with", "hypervisor_type=qemu"],
    &["--with", "hw_video_model=none"],
    &["--with", "hw_video_model=virtio"],
    &["--with", "hw_tpm_version=1.2"],
    &["--with", "hw_tpm_version=2.0"],
    &["--with", "hw_tpm_version=2.0", "--with", "hw_tpm_model=tpm-crb"],
    &["--with", "os_require_quiesce", "--with", "os_admin_user"],
];

/// What the set `scs` takes from its publisher.
const POLICY: &[&str] = &[
    "min_ram=512",
    "hotfix_hours=0",
    "os_purpose=generic",
    "replace_frequency=monthly",
    "uuid_validity=last-3",
    "provided_until=none",
    "image_source=https://example.org/debian.qcow2",
    "image_description=https://example.org/",
    "image_build_date=2026-01-31",
    "image_original_user=debian",
];

/// What stands beside the properties in Glance's own fields.
const OWN_FIELDS: &[&str] = &["name", "disk_format", "container_format", "min_disk", "min_ram", "protected"];

/// Every choice, for an image that tests/run has built; nothing is read but its facts, once.
pub fn promises(name: &str) -> Vec<Promise> {
    let path = image(name);
    let facts = bootworthy(["inspect", path.to_str().unwrap(), "--quiet"]);
    assert_eq!(facts.code, 0, "{name}: {}", facts.stderr);
    let (mut promises, mut undecided) = (Vec::new(), Vec::new());
    for choice in CHOICES {
        let run = |args: &[&str]| {
            let args = [args, choice, &["--format", "json", "--facts", "-"]].concat();
            with_input(args, facts.stdout.as_bytes())
        };
        let json = |run: &Run| serde_json::from_str::<Value>(&run.stdout).unwrap();
        let policy: Vec<&str> = POLICY.iter().flat_map(|row| ["--policy", row]).collect();
        let policy = if choice.contains(&"scs") { policy.as_slice() } else { &[] };
        let manifest = run(&[&["properties"], policy].concat());
        if manifest.code == 3 {
            assert_eq!(manifest.stdout, "", "{name} {choice:?}");
            undecided.push(choice);
            continue;
        }
        assert!(manifest.code < 2, "{name} {choice:?}: {}", manifest.stderr);
        let manifest = json(&manifest);
        let rows = manifest.as_object().unwrap().iter().filter(|(key, _)| !OWN_FIELDS.contains(&key.as_str()));
        let properties = rows.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
        let report = json(&run(&["check"]));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let withheld = report["withheld"].as_array().unwrap().iter();
        let withheld = withheld.map(|row| (text(&row["key"]).unwrap(), text(&row["value"]))).collect();
        promises.push(Promise { image: name.to_owned(), choice: choice.to_vec(), properties, withheld });
    }
    assert!(undecided.len() < 3, "{name}: {undecided:?}");
    promises
}

impl Promise {
    /// Instances of the image: one CPU, two and four, with a config drive and without.
    pub fn domains(&self) -> Vec<Domain> {
        let shapes = [(1, false), (2, false), (2, true), (4, true)];
        let domain = |(vcpus, config_drive)| Domain {
            vcpus,
            memory: 1024,
            specs: BTreeMap::new(),
            properties: self.properties.clone(),
            config_drive,
        };
        shapes.map(domain).to_vec()
    }
}

/// The devices of a domain that properties decide.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Devices {
    machine: String,
    /// libvirt's `firmware` attribute, and whether signatures are asked for.
    firmware: Option<String>,
    is_secure: bool,
    /// The bus of each disk, in order.
    disks: Vec<String>,
    cdroms: Vec<String>,
    scsi_controllers: Vec<String>,
    cards: Vec<String>,
    queues: Option<String>,
    has_agent: bool,
    /// The model, then the action.
    watchdog: Option<(String, String)>,
    video: Option<String>,
    rng: Option<String>,
    /// The model, then the version.
    tpm: Option<(String, String)>,
}

impl Devices {
    /// What a domain XML says.
    pub fn of(xml: &str) -> Self {
        let document = Document::parse(xml).unwrap();
        let all = |name: &str| -> Vec<Node<'_, '_>> {
            document.descendants().filter(|node| node.has_tag_name(name)).collect()
        };
        let buses = |device: &str| -> Vec<String> {
            let disks = all("disk").into_iter().filter(|disk| disk.attribute("device") == Some(device));
            disks.map(|disk| child(disk, "target", "bus").unwrap().to_owned()).collect()
        };
        let one = |name: &str| {
            let nodes = all(name);
            assert!(nodes.len() < 2, "{name}: {xml}");
            nodes.into_iter().next()
        };
        let cards = all("interface");
        let os = one("os").unwrap();
        let controllers = all("controller").into_iter().filter(|node| node.attribute("type") == Some("scsi"));
        Self {
            machine: child(os, "type", "machine").unwrap().to_owned(),
            firmware: os.attribute("firmware").map(str::to_owned),
            is_secure: child(os, "loader", "secure") == Some("yes"),
            disks: buses("disk"),
            cdroms: buses("cdrom"),
            scsi_controllers: controllers.map(|node| said(node, "model")).collect(),
            cards: cards.iter().map(|card| child(*card, "model", "type").unwrap().to_owned()).collect(),
            queues: cards.iter().find_map(|card| child(*card, "driver", "queues")).map(str::to_owned),
            has_agent: all("channel")
                .iter()
                .any(|node| child(*node, "target", "name") == Some("org.qemu.guest_agent.0")),
            watchdog: one("watchdog").map(|node| (said(node, "model"), said(node, "action"))),
            video: one("video").and_then(|node| child(node, "model", "type").map(str::to_owned)),
            rng: one("rng").map(|node| said(node, "model")),
            tpm: one("tpm")
                .map(|node| (said(node, "model"), child(node, "backend", "version").unwrap_or_default().to_owned())),
        }
    }

    /// What the properties promise to who knows nothing but the documentation: all else is Nova's default on `x86_64`.
    pub fn promised(domain: &Domain) -> Self {
        let value = |key: &str| domain.properties.get(key).map(String::as_str);
        let owned = |value: &str| value.to_owned();
        let machine = value("hw_machine_type").unwrap_or("pc");
        let has_drive = domain.config_drive || value("img_config_drive") == Some("mandatory");
        let cdrom = value("hw_cdrom_bus").unwrap_or_else(|| default_cdrom(machine));
        let is_multiqueue = value("hw_vif_multiqueue_enabled") == Some("true") && domain.vcpus > 1;
        let action = value("hw_watchdog_action").filter(|action| *action != "disabled");
        let version = value("hw_tpm_version");
        let uses_scsi = value("hw_disk_bus") == Some("scsi") || value("hw_scsi_model") == Some("virtio-scsi");
        Self {
            machine: owned(machine),
            firmware: value("hw_firmware_type").filter(|kind| *kind == "uefi").map(|_| owned("efi")),
            is_secure: value("os_secure_boot") == Some("required"),
            disks: vec![owned(value("hw_disk_bus").unwrap_or("virtio"))],
            cdroms: if has_drive { vec![owned(cdrom)] } else { Vec::new() },
            scsi_controllers: if uses_scsi { vec![owned("virtio-scsi")] } else { Vec::new() },
            cards: vec![owned(value("hw_vif_model").unwrap_or("virtio"))],
            queues: is_multiqueue.then(|| domain.vcpus.to_string()),
            has_agent: value("hw_qemu_guest_agent") == Some("yes"),
            watchdog: action.map(|action| (owned("i6300esb"), owned(action))),
            video: value("hw_video_model").map_or(Some(owned("virtio")), |model| Some(owned(model))),
            rng: Some(owned("virtio")),
            tpm: version.map(|version| (owned(value("hw_tpm_model").unwrap_or("tpm-tis")), owned(version))),
        }
    }

    /// Whether nothing of what was withheld is there; a key that is not known here is to be added.
    fn lacks(&self, key: &str, value: Option<&str>, domain: &Domain) -> bool {
        let differs = |found: &str| value.is_none_or(|value| found != value);
        match key {
            "hw_disk_bus" => self.disks.iter().all(|bus| differs(bus)),
            "hw_scsi_model" => self.scsi_controllers.is_empty(),
            // On q35 a config drive that the user asks for hangs on sata, whatever the image can do.
            "hw_cdrom_bus" => self.cdroms.iter().all(|bus| differs(bus) || bus == default_cdrom(&self.machine)),
            "img_config_drive" => domain.config_drive || self.cdroms.is_empty(),
            "hw_qemu_guest_agent" => !self.has_agent,
            "hw_vif_multiqueue_enabled" => self.queues.is_none(),
            "hw_watchdog_action" => self.watchdog.is_none(),
            "hw_tpm_version" | "hw_tpm_model" => self.tpm.is_none(),
            "hw_firmware_type" => self.firmware.is_none(),
            "os_secure_boot" => !self.is_secure,
            "hw_machine_type" => differs(&self.machine),
            // Nova's default, whether or not the property is set.
            "hw_video_model" => self.video.as_deref() == Some("virtio"),
            "hw_vif_model" => self.cards == ["virtio"],
            _ => NO_DEVICE.contains(&key),
        }
    }
}

fn said(node: Node<'_, '_>, attribute: &str) -> String {
    node.attribute(attribute).unwrap_or_default().to_owned()
}

fn child<'a>(node: Node<'a, '_>, name: &str, attribute: &str) -> Option<&'a str> {
    node.children().find(|child| child.has_tag_name(name)).and_then(|child| child.attribute(attribute))
}

fn default_cdrom(machine: &str) -> &'static str {
    if machine == "q35" || machine.starts_with("pc-q35-") { "sata" } else { "ide" }
}

/// Properties that no device follows from.
const NO_DEVICE: &[&str] = &[
    "architecture",
    "hw_rng_model",
    "hypervisor_type",
    "os_admin_user",
    "os_distro",
    "os_require_quiesce",
    "os_type",
    "os_version",
];

/// What Nova's answers to the domains of these promises break of them.
pub fn broken(promises: &[Promise], answers: &BTreeMap<Domain, String>) -> Vec<String> {
    let mut broken = Vec::new();
    for promise in promises {
        let at = format!("{} {:?}", promise.image, promise.choice);
        for domain in promise.domains() {
            let Some(xml) = answers.get(&domain) else {
                broken.push(format!("{at}: not recorded: {domain:?}"));
                continue;
            };
            if !xml.starts_with('<') {
                broken.push(format!("{at}: Nova refuses {domain:?}: {xml}"));
                continue;
            }
            let (found, promised) = (Devices::of(xml), Devices::promised(&domain));
            if found != promised {
                broken.push(format!("{at}: {domain:?}\n  nova {found:?}\n  ours {promised:?}"));
            }
            let held = |(key, value): &&(String, Option<String>)| !found.lacks(key, value.as_deref(), &domain);
            broken.extend(promise.withheld.iter().filter(held).map(|row| format!("{at}: {row:?} is there: {found:?}")));
        }
    }
    broken
}
