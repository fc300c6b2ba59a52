//! Cases for Nova's own code: made from the vocabulary, answered by `ask_nova.py`, kept in `fixtures/oracles/nova.json.gz`.

pub mod devices;
pub mod domains;

use bootworthy::verdict::property::vocabulary::{self, Entry, Kind, Scope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What Nova is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cases {
    /// A property and its value.
    pub properties: Vec<(String, String)>,
    /// An extra spec and its value.
    pub specs: Vec<(String, String)>,
    /// A flavor with an image, for the functions of `nova.virt.hardware`.
    pub pairs: Vec<Pair>,
    /// The same for the driver.
    pub guests: Vec<Pair>,
}

/// A flavor with an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    pub vcpus: u64,
    pub memory: u64,
    pub specs: BTreeMap<String, String>,
    pub properties: BTreeMap<String, String>,
}

/// What Nova answers, in the order of the cases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    pub properties: Vec<String>,
    pub specs: Vec<String>,
    /// Functions that refuse, with the exception.
    pub pairs: Vec<BTreeMap<String, String>>,
    /// The exception, or nothing.
    pub guests: Vec<String>,
}

/// The recorded table.
pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/nova.json.gz")
}

/// Every case, the same at every run.
pub fn cases() -> Cases {
    Cases { properties: properties(), specs: specs(), pairs: pairs(), guests: guests() }
}

const BOOLS: &[&str] = &[
    "1",
    "t",
    "true",
    "on",
    "y",
    "yes",
    "0",
    "f",
    "false",
    "off",
    "n",
    "no",
    "True",
    "TRUE",
    "Yes",
    "NO",
    " true",
    "false ",
    "\ttrue\n",
    "\u{a0}yes",
    "\u{1d}on",
    "2",
    "-1",
    "enabled",
    "disabled",
    "None",
    "null",
    "",
    " ",
    "tru e",
    "\u{212a}",
    "y\u{e9}s",
];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "4",
    "16",
    "-1",
    "-0",
    "+3",
    " 7 ",
    "007",
    "1_000",
    "1__0",
    "_1",
    "1.0",
    "1e3",
    "0x10",
    "",
    " ",
    "two",
    "4294967296",
    "99999999999999999999999",
    "\u{661}\u{662}",
    "\u{b2}",
    "1 2",
    "--1",
    "\n5",
];
const MASKS: &[&str] = &[
    "0",
    "0-3",
    "0-3,^2",
    "^2",
    "^2,0-3",
    "",
    ",",
    "1,,2",
    " 1 - 3 ",
    "3,3",
    "4-1",
    "a",
    "1-",
    "-1",
    "^",
    "0x1",
    "+1",
    "1_0",
    "\u{663}",
    "0-3,^3-2",
    "^5,0-7",
    "0-1-2",
    "^1-2,0-7,^4-6",
    "0-3;5",
    "0,2,4-9,^5",
    "0,",
    "^0-1",
    "0-3,5-7",
];
const SIZES: &[&str] = &[
    "large", "small", "any", "Large", "4", "2048", "2MB", "2Mb", "2M", "1GB", "1Gib", "1gb", "1kB", "0", "big", "1.5GB",
];
const VERSIONS: &[&str] = &[
    ">=1.5",
    "<2,>=1",
    "== 1.0 ",
    "!=v1.0rc1",
    ">1!2.3.post4.dev5+local.7",
    "<1-2",
    "1.5",
    ">=",
    ">= 1.5,",
    "=1.5",
    "~=1.5",
    ">1..2",
    ">1.x",
    ">1+",
    "<==1",
    "",
    ">=1.0a-",
    "<1.0_beta-2",
    "<1.0.dev",
    "> 1.0+a..b",
    "<1\n",
];
const TEXTS: &[&str] = &["", " ", "debian", "Debian 13 ", "caf\u{e9}", "\u{1f600}", "None", "a,b:c"];

fn values(entry: &Entry) -> Vec<String> {
    let plain = |list: &[&str]| list.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    match entry.kind {
        Kind::Bool => plain(BOOLS),
        Kind::Integer => plain(INTEGERS),
        Kind::Versions => plain(VERSIONS),
        Kind::Enum => spellings(entry.values.iter().chain(entry.value_aliases.keys())),
        Kind::List => plain(&["[]", "[{}]", "", "x"]),
        _ => plain(TEXTS),
    }
}

/// Every word in several spellings, and words that are none of them.
fn spellings<'a>(words: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut made: Vec<String> = ["", " ", "none", "None", "true", "auto", "bogus", "virtio", "shutdown", "ps2mouse"]
        .map(str::to_owned)
        .to_vec();
    for word in words {
        let mut capital = word.clone();
        capital[..1].make_ascii_uppercase();
        made.extend([word.clone(), word.to_uppercase(), capital, format!("{word} "), format!(" {word}")]);
        made.push(word.replace('-', "_"));
        made.push(format!("{word}x"));
    }
    made.sort();
    made.dedup();
    made
}

fn properties() -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for entry in vocabulary::properties() {
        for name in entry.aliases.iter().chain([&entry.name]) {
            cases.extend(values(entry).into_iter().map(|value| (name.clone(), value)));
        }
    }
    for mask in MASKS {
        cases.push(("hw_numa_cpus.0".to_owned(), (*mask).to_owned()));
        cases.push(("hw_numa_cpus.1".to_owned(), (*mask).to_owned()));
    }
    cases.extend(INTEGERS.iter().map(|value| ("hw_numa_mem.0".to_owned(), (*value).to_owned())));
    for name in ["trait:HW_CPU_X86_VMX", "trait:CUSTOM_X", "trait:", "trait:x y", "Trait:X", "trait1:X"] {
        cases.extend(["required", "forbidden", "Required", ""].map(|value| (name.to_owned(), value.to_owned())));
    }
    for adapter in ["ide", "IDE", "lsiLogic", "busLogic", "lsiLogicsas", "paraVirtual", "scsi", "", " "] {
        cases.push(("vmware_adaptertype".to_owned(), adapter.to_owned()));
    }
    for name in ["hw_disk_buss", "HW_DISK_BUS", "hw_disk_bus ", "os_version", "hw_emulator_threads_policy", "x"] {
        cases.push((name.to_owned(), "scsi".to_owned()));
    }
    cases
}

#[expect(clippy::too_many_lines, reason = "a table of probes")]
fn specs() -> Vec<(String, String)> {
    let words = vocabulary::extra_specs();
    let mut cases = Vec::new();
    let mut add = |name: &str, value: &str| cases.push((name.to_owned(), value.to_owned()));
    let common = [BOOLS, INTEGERS, MASKS, SIZES].concat();
    let lists = [
        "a,b",
        "a,b,",
        ",a",
        "gpu:1",
        "gpu:1, nic:2",
        "gpu:1,",
        "gpu",
        ":1",
        "gpu:x",
        "a b:1 ,c:2",
        "a:1,,b:2",
        "a:1, :2",
    ];
    for spec in &words.specs {
        let name = spec.name.replace(".N", ".0").replace("KEY", "ssd");
        common.iter().chain(&lists).for_each(|value| add(&name, value));
        for value in &spellings(spec.values.iter()) {
            add(&name, value);
        }
        add(&name, &spec.max.map_or_else(|| "9".repeat(30), |max| (max + 1).to_string()));
    }
    for capability in &words.capabilities {
        let stem = capability.replace("{filter}", "");
        for tail in ["", ":features", ":a:b", ":", ":a b", "x", "{filter}"] {
            add(&format!("capabilities:{stem}{tail}"), "<in> aes");
        }
    }
    for name in
        words.traits.iter().map(String::as_str).chain(["CUSTOM_X", "CUSTOM_", "CUSTOM_x", "HW_X", "", "{trait}"])
    {
        add(&format!("trait:{name}"), "required");
        add(&format!("trait:{name}"), "optional");
        for group in ["1", "_a-B", "{group}", "a.b"] {
            add(&format!("trait{group}:{name}"), "forbidden");
        }
    }
    for name in words.resources.iter().map(String::as_str).chain(["CUSTOM_X", "CUSTOM_{resource}", "vgpu", ""]) {
        for value in ["1", "0", "-1", "x", ""] {
            add(&format!("resources:{name}"), value);
        }
        for group in ["1", "_a-B", "{group}", "a.b", &"g".repeat(64), &"g".repeat(65)] {
            add(&format!("resources{group}:{name}"), "1");
        }
    }
    for name in [
        "hw_watchdog_action",
        "foo:bar",
        "bar",
        "hw:nonsense",
        "hw:qemu_guest_agent",
        "hw:scsi_model",
        "hw:disk_bus",
        "hw:maxphysaddr_mode",
        "hw:numa_cpus",
        "hw:numa_cpus.x",
        "hw:numa_cpusX0",
        "hw:numa_cpus.{num}",
        "hw:",
        ":",
        "os:nothing",
        "quota:nothing",
        "aggregate_instance_extra_specs:",
        "aggregate_instance_extra_specs:{key}",
        "accel:x",
        "HW:cpu_policy",
        "hw:cpu_policy ",
        "hw:numa_mem.\u{661}",
    ] {
        for value in ["1", "reset", "required", ""] {
            add(name, value);
        }
    }
    cases
}

/// Values that matter, per extra spec and per property.
const FLAVOR: &[(&str, &[&str])] = &[
    ("hw:cpu_policy", &["shared", "dedicated", "mixed", "bogus", ""]),
    ("hw:cpu_thread_policy", &["prefer", "isolate", "require", "bogus", ""]),
    ("hw:cpu_realtime", &["yes", "no"]),
    ("hw:cpu_realtime_mask", &["^0", "0-1", "^0-9", "9", "x"]),
    ("hw:cpu_dedicated_mask", &["^0", "1", "0-3", "9", "^0-9", "x", " ^1"]),
    ("hw:emulator_threads_policy", &["isolate", "share", "bogus"]),
    ("hw:mem_page_size", &["large", "any", "small", "2048", "2MB", "2M", "0", "", "huge"]),
    ("hw:locked_memory", &["true", "false", "bogus"]),
    ("hw:mem_encryption", &["true", "false"]),
    ("hw:mem_encryption_model", &["amd-sev", "amd-sev-snp", "intel-tdx", "bogus", ""]),
    ("hw:numa_nodes", &["1", "2", "0", "02", "x", ""]),
    ("hw:numa_cpus.0", &["0", "0-1", "0-3", "x"]),
    ("hw:numa_cpus.1", &["1", "2-3", "0"]),
    ("hw:numa_mem.0", &["512", "1024", "x"]),
    ("hw:numa_mem.1", &["512", "1"]),
    ("hw:cpu_max_sockets", &["1", "2", "x", ""]),
    ("hw:cpu_max_cores", &["1", "2"]),
    ("hw:cpu_sockets", &["1", "4", "x"]),
    ("hw:cpu_max_threads", &["1", "0"]),
    ("hw:pmu", &["true", "no"]),
    ("hw:vif_multiqueue_enabled", &["true", "no"]),
    ("hw:virtio_packed_ring", &["true", "no"]),
    ("hw:serial_port_count", &["0", "1", "2", "x", "-1"]),
    ("hw:pci_numa_affinity_policy", &["required", "socket", "bogus"]),
    ("os:secure_boot", &["required", "disabled", "bogus"]),
    ("hw:tpm_version", &["1.2", "2.0", "3"]),
    ("hw:tpm_model", &["tpm-tis", "tpm-crb", "x"]),
    ("hw:maxphysaddr_mode", &["emulate", "x"]),
    ("hw:ephemeral_encryption", &["true", "no"]),
    ("hw:ephemeral_encryption_format", &["luks", "x"]),
    ("hw:sound_model", &["ich6", "x"]),
    ("hw:usb_model", &["none", "x"]),
    ("hw:redirected_usb_ports", &["2", "16", "x", "0"]),
    ("hw:pmem", &["a,b", ",", ""]),
    ("resources:VCPU", &["1", "0"]),
    ("resources:PCPU", &["2", "4", "5", "x"]),
    ("resources1:PCPU", &["1"]),
    ("trait:HW_CPU_HYPERTHREADING", &["required", "forbidden"]),
];
const IMAGE: &[(&str, &[&str])] = &[
    ("hw_cpu_policy", &["shared", "dedicated", "mixed"]),
    ("hw_cpu_thread_policy", &["prefer", "isolate", "require"]),
    ("hw_cpu_realtime_mask", &["^1", "0-7", "x", ""]),
    ("hw_mem_page_size", &["large", "2048", "2M", "x", ""]),
    ("hw_locked_memory", &["true", "false"]),
    ("hw_mem_encryption", &["true", "false"]),
    ("hw_mem_encryption_model", &["amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx"]),
    ("hw_firmware_type", &["uefi", "bios"]),
    ("hw_firmware_stateless", &["true", "false"]),
    ("hw_machine_type", &["q35", "pc", "pc-q35-7.2"]),
    ("hw_video_model", &["none", "virtio"]),
    ("hw_numa_nodes", &["1", "2", "0", "-1"]),
    ("hw_numa_cpus.0", &["0", "0-1", "0-3"]),
    ("hw_numa_cpus.1", &["1", "2-3"]),
    ("hw_numa_mem.0", &["512", "1024"]),
    ("hw_numa_mem.1", &["512"]),
    ("hw_cpu_max_sockets", &["1", "3"]),
    ("hw_cpu_max_cores", &["2"]),
    ("hw_cpu_sockets", &["2", "4"]),
    ("hw_cpu_threads", &["2"]),
    ("hw_pmu", &["true", "bogus"]),
    ("hw_vif_multiqueue_enabled", &["true", "false"]),
    ("hw_virtio_packed_ring", &["true", "false"]),
    ("hw_serial_port_count", &["0", "1", "4", "-1"]),
    ("hw_pci_numa_affinity_policy", &["required", "legacy"]),
    ("os_secure_boot", &["required", "optional", "disabled"]),
    ("hw_tpm_version", &["1.2", "2.0"]),
    ("hw_tpm_model", &["tpm-tis", "tpm-crb"]),
    ("hw_maxphysaddr_mode", &["emulate", "passthrough"]),
    ("hw_ephemeral_encryption", &["true", "false"]),
    ("hw_ephemeral_encryption_format", &["luks", "plain"]),
    ("hw_sound_model", &["ich6", "ac97"]),
    ("hw_usb_model", &["none", "qemu-xhci"]),
    ("hw_redirected_usb_ports", &["0", "2", "16", "-1"]),
    ("trait:HW_CPU_HYPERTHREADING", &["required", "forbidden"]),
];

/// Numbers that look random and are the same at every run (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn some(&mut self, table: &[(&str, &[&str])], count: usize) -> BTreeMap<String, String> {
        let mut chosen = BTreeMap::new();
        for _ in 0..count {
            let (name, values) = table[self.below(table.len())];
            chosen.insert(name.to_owned(), values[self.below(values.len())].to_owned());
        }
        chosen
    }
}

/// Every extra spec against every value of the property of the same thing, then crowds.
fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    for (spec, theirs) in FLAVOR {
        let key = spec.replacen(':', "_", 1);
        let ours: Vec<&str> =
            IMAGE.iter().filter(|(name, _)| *name == key).flat_map(|(_, values)| values.iter().copied()).collect();
        for value in *theirs {
            let alone = Pair { vcpus: 4, memory: 1024, specs: one(spec, value), ..Pair::default() };
            for own in &ours {
                pairs.push(Pair { properties: one(&key, own), ..alone.clone() });
                pairs.push(Pair { vcpus: 1, properties: one(&key, own), ..alone.clone() });
            }
            pairs.push(alone);
        }
    }
    for (key, ours) in IMAGE {
        pairs.extend(ours.iter().map(|own| Pair {
            vcpus: 4,
            memory: 1024,
            properties: one(key, own),
            ..Pair::default()
        }));
    }
    let mut dice = Dice(34);
    for _ in 0..4000 {
        let (specs, properties) = (dice.below(6), dice.below(6));
        pairs.push(Pair {
            vcpus: [1, 2, 4, 4, 5][dice.below(5)],
            memory: [1024, 1024, 1000, 513][dice.below(4)],
            specs: dice.some(FLAVOR, specs),
            properties: dice.some(IMAGE, properties),
        });
    }
    for _ in 0..1500 {
        let (specs, properties) = (dice.below(5) + 1, dice.below(5));
        let area =
            |name: &&(&str, &[&str])| ["cpu", "numa", "emul", "page", "PCPU"].iter().any(|part| name.0.contains(part));
        let flavor: Vec<_> = FLAVOR.iter().filter(area).copied().collect();
        let image: Vec<_> = IMAGE.iter().filter(area).copied().collect();
        pairs.push(Pair {
            vcpus: [2, 4][dice.below(2)],
            memory: 1024,
            specs: dice.some(&flavor, specs),
            properties: dice.some(&image, properties),
        });
    }
    pairs
}

/// What only the driver refuses, and what it lets through.
fn guests() -> Vec<Pair> {
    let mut guests = Vec::new();
    let mut add = |specs: &[(&str, &str)], properties: &[(&str, &str)]| {
        let map = |rows: &[(&str, &str)]| rows.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        guests.push(Pair { vcpus: 2, memory: 2048, specs: map(specs), properties: map(properties) });
    };
    for key in [
        "hw_disk_bus",
        "hw_vif_model",
        "hw_video_model",
        "hw_scsi_model",
        "hw_watchdog_action",
        "hw_input_bus",
        "hw_viommu_model",
        "hw_sound_model",
        "hw_usb_model",
    ] {
        for value in &vocabulary::property(key).unwrap().values {
            add(&[], &[(key, value)]);
        }
    }
    for ram in ["0", "8", "16", "17"] {
        add(&[], &[("hw_video_ram", ram)]);
        add(&[("hw_video:ram_max_mb", "16")], &[("hw_video_ram", ram)]);
    }
    for machine in ["pc", "q35", "virt"] {
        for model in ["intel", "auto"] {
            add(&[], &[("hw_viommu_model", model), ("hw_machine_type", machine)]);
            add(&[("hw:viommu_model", model)], &[("hw_machine_type", machine)]);
        }
    }
    for (flavor, image) in [("reset", "disabled"), ("bogus", "reset"), ("disabled", "none")] {
        add(&[("hw:watchdog_action", flavor)], &[("hw_watchdog_action", image)]);
    }
    add(&[("hw:watchdog_action", "bogus")], &[]);
    for (version, model) in [("1.2", "tpm-tis"), ("1.2", "tpm-crb"), ("2.0", "tpm-crb")] {
        add(&[], &[("hw_tpm_version", version), ("hw_tpm_model", model)]);
        add(&[("hw:tpm_version", "2.0")], &[("hw_tpm_version", version), ("hw_tpm_model", model)]);
    }
    add(&[], &[("hw_tpm_model", "tpm-crb")]);
    for (flavor, image) in [("true", "true"), ("true", "false"), ("false", "yes"), ("false", "off")] {
        for (spec, key) in [
            ("hw:vif_multiqueue_enabled", "hw_vif_multiqueue_enabled"),
            ("hw:virtio_packed_ring", "hw_virtio_packed_ring"),
            ("hw:pmu", "hw_pmu"),
            ("hw:locked_memory", "hw_locked_memory"),
        ] {
            add(&[(spec, flavor)], &[(key, image)]);
        }
    }
    for (flavor, image) in [("ich6", "ich6"), ("ich6", "ac97")] {
        add(&[("hw:sound_model", flavor)], &[("hw_sound_model", image)]);
    }
    add(&[("hw:usb_model", "none")], &[("hw_usb_model", "qemu-xhci")]);
    for ports in ["2", "15", "16"] {
        add(&[], &[("hw_redirected_usb_ports", ports), ("hw_usb_model", "qemu-xhci")]);
        add(&[("hw:redirected_usb_ports", ports)], &[("hw_redirected_usb_ports", ports)]);
    }
    guests
}

/// The scope of a property that `ImageMetaProps` holds, for counts in tests.
pub fn is_novas(key: &str) -> bool {
    vocabulary::property(key).is_some_and(|entry| entry.scope == Scope::Nova)
}
