//! Nova's recorded answers against ours; `.ci/full oracles` asks Nova again.

use crate::cases::domains::{self, Domain};
use crate::cases::{self, Answers, Cases, Pair};
use bootworthy::verdict::property::vocabulary::{
    CONSTRAINTS, FlavorSpecs, ImageProps, Judged, SpecJudged, judge, judge_spec,
};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fs::File;

fn recorded() -> (Cases, Answers) {
    let file = File::open(cases::path()).expect("fixtures/oracles/nova.json.gz: .ci/full oracles records it");
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
}

fn refusals(pair: &Pair, is_asked: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let specs = pair.specs.clone();
    let flavor = FlavorSpecs { vcpus: Some(pair.vcpus), memory: Some(pair.memory), specs };
    let pairs = pair.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let (image, rejected) = ImageProps::from_pairs(pairs);
    assert_eq!(rejected, [], "{pair:?}");
    let asked = CONSTRAINTS.iter().filter(|constraint| is_asked(constraint.name));
    let refused = asked.filter_map(|constraint| Some((constraint.name, (constraint.run)(&flavor, &image).err()?)));
    refused.map(|(name, conflict)| (name.to_owned(), conflict.exception.to_owned())).collect()
}

fn compare<C: std::fmt::Debug, A: PartialEq + std::fmt::Debug>(cases: &[C], nova: &[A], ours: impl Fn(&C) -> A) {
    assert_eq!(cases.len(), nova.len());
    let differ =
        cases.iter().zip(nova).map(|(case, nova)| (case, nova, ours(case))).filter(|(_, nova, ours)| *nova != ours);
    let differ: Vec<String> =
        differ.map(|(case, nova, ours)| format!("{case:?}\n  nova {nova:?}\n  ours {ours:?}")).collect();
    assert!(
        differ.is_empty(),
        "{} of {} differ:\n{}",
        differ.len(),
        cases.len(),
        differ[..differ.len().min(40)].join("\n")
    );
}

#[test]
fn the_recorded_cases_are_those_of_today() {
    assert_eq!(recorded().0, cases::cases(), "record them again: BOOTWORTHY_RECORD=1 .ci/full oracles");
}

#[test]
fn properties_are_taken_as_nova_takes_them() {
    let (cases, nova) = recorded();
    assert!(cases.properties.iter().filter(|(key, _)| cases::is_novas(key)).count() >= 1500);
    compare(&cases.properties, &nova.properties, |(key, value)| match judge(key, value) {
        Judged::Accepted(fields) => {
            fields.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(" ")
        }
        Judged::SilentlyFalse(field) => format!("{field}=False"),
        Judged::Ignored => "-".to_owned(),
        Judged::Rejected(_) => "!".to_owned(),
    });
}

#[test]
fn extra_specs_are_taken_as_nova_takes_them() {
    let (cases, nova) = recorded();
    compare(&cases.specs, &nova.specs, |(name, value)| match judge_spec(name, value) {
        SpecJudged::Accepted | SpecJudged::Unknown => "ok".to_owned(),
        SpecJudged::Rejected(_) => "!".to_owned(),
    });
}

#[test]
fn conflicts_are_those_of_nova() {
    let (cases, nova) = recorded();
    // The methods of the driver begin otherwise, or stand in blockinfo and vif.
    let is_hardware = |name: &str| {
        (name.starts_with("get_") || name == "numa_get_constraints")
            && !["get_config", "get_disk_bus_for_device_type"].contains(&name)
    };
    compare(&cases.pairs, &nova.pairs, |pair| refusals(pair, is_hardware));
}

#[test]
fn the_driver_refuses_what_we_say() {
    let (cases, nova) = recorded();
    assert!(cases.guests.len() >= 60, "{}", cases.guests.len());
    for (pair, nova) in cases.guests.iter().zip(&nova.guests) {
        let all = refusals(pair, |_| true);
        // The driver asks for locked memory, which numa_get_constraints asks for too, but not for the rest of that.
        let is_quiet = all.keys().all(|name| name == "numa_get_constraints");
        let is_told = if nova.is_empty() { is_quiet } else { all.values().any(|ours| ours == nova) };
        assert!(is_told, "{pair:?}\n  nova {nova:?}\n  ours {all:?}");
    }
}

#[test]
fn earned_properties_give_the_promised_devices() {
    let file = File::open(domains::path()).expect("fixtures/oracles/domains.json.gz: .ci/full oracles records it");
    let recorded: Vec<(Domain, String)> = serde_json::from_reader(GzDecoder::new(file)).unwrap();
    let promises: Vec<_> = domains::RECORDED.iter().flat_map(|name| domains::promises(name)).collect();
    let broken = domains::broken(&promises, &recorded.into_iter().collect());
    assert!(
        broken.is_empty(),
        "{} are broken; record what has changed: BOOTWORTHY_RECORD=1 .ci/full oracles\n{}",
        broken.len(),
        broken.join("\n")
    );
}
