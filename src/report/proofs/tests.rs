use super::*;
use crate::report::{Style, Verbosity};

fn trial() -> Trial {
    let proof = |id, decides: &[(&'static str, Word)], standing, evidence: &str| Proof {
        id,
        summary: "something holds",
        decides: decides.to_vec(),
        is_promised: true,
        standing,
        evidence: evidence.to_owned(),
        millis: 1234,
    };
    Trial {
        path: "a\u{1b}[31m<b>.qcow2".to_owned(),
        machine: Some("machine pc, 2 vCPU".to_owned()),
        remarks: vec!["the CPU is max".to_owned()],
        phases: vec![Phase { name: "kernel", millis: 4149 }, Phase { name: "login", millis: 41_900 }],
        proofs: vec![
            proof(
                "root-on-bus",
                &[("initrd-virtio-pci", Word::Pass), ("initrd-virtio-scsi", Word::Fail)],
                Standing::Proved,
                "1af4:1004",
            ),
            proof("queues", &[("multiqueue-kernel", Word::Pass)], Standing::Inconclusive, "::error::no tap"),
            proof("watchdog-fires", &[], Standing::Disproved, "state inactive\n\u{202e}]]>"),
            proof("agent-os", &[], Standing::NotApplicable, "no agent"),
        ],
        disagreements: vec![Disagreement {
            check: "initrd-virtio-scsi",
            verdict: Word::Fail,
            proof: "root-on-bus",
            standing: Standing::Proved,
            evidence: "1af4:1004".to_owned(),
        }],
        result: Outcome::Unfit,
        error: None,
    }
}

fn written(name: &str) -> String {
    let format = Trial::FORMATS.iter().find(|format| format.name == name).unwrap();
    (format.write)(&trial(), Style::default())
}

#[test]
fn the_table_of_people() {
    let expected = "\
a\\u{1b}[31m<b>.qcow2
machine pc, 2 vCPU
kernel 4.1 s · login 41 s
note: the CPU is max

  proof           decides                verdict
  root-on-bus     initrd-virtio-scsi +1  fail     proved        1af4:1004
  queues          multiqueue-kernel      pass     inconclusive  ::error::no tap
  watchdog-fires  –                      –        disproved     state inactive\\u{a}\\u{202e}]]>
  agent-os        –                      –        n/a           no agent

error[check-disagrees]: initrd-virtio-scsi says fail, root-on-bus is proved
   |  1af4:1004
   = fix: bug in a check, please report: with the facts (`bootworthy inspect`) and the folder of --keep

1 proved, 1 disproved, 1 inconclusive, 1 not applicable · 1 check disagrees
";
    assert_eq!(written("text"), expected);
    let verbose = (Trial::FORMATS[0].write)(&trial(), Style { verbosity: Verbosity::Verbose, ..Style::default() });
    assert!(verbose.contains("  root-on-bus     initrd-virtio-pci   pass     proved        1af4:1004\n"), "{verbose}");
    assert!(verbose.contains("                  initrd-virtio-scsi  fail\n"), "{verbose}");
    let quiet = (Trial::FORMATS[0].write)(&trial(), Style { verbosity: Verbosity::Quiet, ..Style::default() });
    assert_eq!(quiet.lines().count(), 1);
}

#[test]
fn json_is_ascii_and_counts() {
    let text = written("json");
    assert!(text.is_ascii());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "bootworthy.boot/1");
    assert_eq!(value["summary"], serde_json::json!({ "proved": 1, "disproved": 1, "inconclusive": 1, "n/a": 1 }));
    assert_eq!(value["proofs"][3]["standing"], "n/a");
    assert_eq!(value["proofs"][2]["evidence"], "state inactive\n\u{202e}]]>");
}

#[test]
fn junit_is_xml_with_a_case_per_proof() {
    let text = written("junit");
    let document = roxmltree::Document::parse(&text).unwrap();
    let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
    let counts = ["tests", "failures", "errors", "skipped"].map(|name| suite.attribute(name).unwrap());
    assert_eq!(counts, ["5", "2", "1", "1"]);
    assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
    assert!(text.contains("time=\"1.234\""));
}
