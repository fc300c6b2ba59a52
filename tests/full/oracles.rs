//! Nova asked anew: the recorded answers must be what its own code says.

use crate::cases::devices::{self, Row, Table, Translated};
use crate::cases::domains::{self, Domain, Promise};
use crate::cases::{self, Answers, Cases};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// An interpreter with nova==34.0.0: .ci/full makes one, `BOOTWORTHY_NOVA_PYTHON` names another.
fn ask<A: DeserializeOwned>(cases: &impl Serialize) -> A {
    let python = std::env::var_os("BOOTWORTHY_NOVA_PYTHON").expect("BOOTWORTHY_NOVA_PYTHON; run .ci/full oracles");
    answer(Command::new(python).arg("tests/oracles/ask_nova.py"), cases)
}

fn answer<A: DeserializeOwned>(program: &mut Command, cases: &impl Serialize) -> A {
    let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (program.stdin.take().unwrap(), serde_json::to_vec(cases).unwrap());
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The recorded table; it is written first when `BOOTWORTHY_RECORD` is set.
fn recorded<T: Serialize + DeserializeOwned>(path: &Path, table: &T) -> T {
    if std::env::var_os("BOOTWORTHY_RECORD").is_some() {
        let mut file = GzEncoder::new(File::create(path).unwrap(), Compression::best());
        serde_json::to_writer(&mut file, table).unwrap();
        file.finish().unwrap();
    }
    serde_json::from_reader(GzDecoder::new(File::open(path).unwrap())).unwrap()
}

#[test]
fn nova() {
    let cases = cases::cases();
    let answers: Answers = ask(&cases);
    let recorded: (Cases, Answers) = recorded(&cases::path(), &(cases.clone(), answers.clone()));
    assert!(recorded.0 == cases, "the cases have changed: BOOTWORTHY_RECORD=1 .ci/full oracles");
    assert_eq!(recorded.1.properties, answers.properties);
    assert_eq!(recorded.1.specs, answers.specs);
    assert_eq!(recorded.1.pairs, answers.pairs);
    assert_eq!(recorded.1.guests, answers.guests);
}

/// What an image has earned gives the devices that were promised, and what was withheld is absent.
#[test]
fn nova_gives_the_devices_of_earned_properties() {
    let ask_for = |promises: &[Promise]| {
        let domains: BTreeSet<Domain> = promises.iter().flat_map(Promise::domains).collect();
        let answers: BTreeMap<String, Vec<String>> = ask(&json!({"domains": &domains}));
        domains.into_iter().zip(answers["domains"].clone()).collect::<Vec<(Domain, String)>>()
    };
    let promises = |names: &[&str]| names.iter().flat_map(|name| domains::promises(name)).collect::<Vec<_>>();
    let kept = promises(domains::RECORDED);
    let answers = ask_for(&kept);
    assert_eq!(recorded(&domains::path(), &answers), answers);
    let others = promises(&["debian12_dracut", "debian12_generic", "debian12_stock", "debian13_stock"]);
    let earned = |key: &str| kept.iter().chain(&others).filter(|promise| promise.properties.contains_key(key)).count();
    let withheld = |key: &str| {
        let all = kept.iter().chain(&others).flat_map(|promise| &promise.withheld);
        all.filter(|row| row.0 == key).count()
    };
    for key in ["hw_qemu_guest_agent", "hw_watchdog_action", "hw_cdrom_bus", "img_config_drive", "os_require_quiesce"] {
        assert!(earned(key) > 0 && withheld(key) > 0, "{key}: {} {}", earned(key), withheld(key));
    }
    let all = answers.into_iter().chain(ask_for(&others)).collect();
    let broken = domains::broken(&[kept, others].concat(), &all);
    assert!(broken.is_empty(), "{} are broken:\n{}", broken.len(), broken.join("\n"));
}

#[derive(Deserialize)]
struct Nova {
    domains: Vec<String>,
    pairs: Vec<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Libvirt {
    versions: Vec<String>,
    answers: Vec<Translated>,
}

/// What our devices are compared with in every run is what Nova and libvirt say today.
#[test]
fn nova_and_libvirt_give_the_recorded_devices() {
    let (names, domains): (Vec<String>, Vec<Domain>) = devices::cases().into_iter().unzip();
    let nova: Nova = ask(&json!({"domains": &domains, "pairs": &domains}));
    assert_eq!((nova.domains.len(), nova.pairs.len()), (domains.len(), domains.len()));
    let is_xml = |answer: &&String| answer.starts_with('<');
    let xml: Vec<&String> = nova.domains.iter().filter(is_xml).collect();
    let libvirt: Libvirt = answer(Command::new("python3").arg("tests/oracles/ask_libvirt.py"), &xml);
    assert_eq!(libvirt.answers.len(), xml.len());
    let mut translated = libvirt.answers.into_iter();
    let answers = nova.domains.iter().zip(nova.pairs);
    let rows = names.into_iter().zip(domains).zip(answers).map(|((name, domain), (xml, refused))| Row {
        name,
        domain,
        refused,
        xml: xml.clone(),
        qemu: if is_xml(&xml) { translated.next() } else { None },
    });
    let table = Table { versions: libvirt.versions, rows: rows.collect() };
    let recorded = recorded(&devices::path(), &table);
    assert_eq!(recorded.rows.len(), table.rows.len(), "the cases have changed: BOOTWORTHY_RECORD=1 .ci/full oracles");
    for (recorded, row) in recorded.rows.iter().zip(&table.rows) {
        assert_eq!(recorded, row, "{:?}", table.versions);
    }
}
