//! The checks of units: what starts, what is masked, what refuses to start.

use super::{evidence, rows};
use crate::checks::{at, judge, saved};
use bootworthy::verdict::Weight::Full;
use bootworthy::verdict::Word::{Fail, NotApplicable, Pass, Unknown};
use serde_json::{Value, json};

const RULE: &str = "/usr/lib/udev/rules.d/60-qemu-guest-agent.rules";
const UNIT: &str = "/usr/lib/systemd/system/qemu-guest-agent.service";

/// Place of a unit in the healthy facts.
fn unit(name: &str) -> usize {
    let healthy = saved("healthy");
    healthy["units"].as_array().unwrap().iter().position(|unit| unit["name"] == name).unwrap()
}

fn pointer(name: &str, field: &str) -> &'static str {
    Box::leak(format!("/units/{}{field}", unit(name)).into_boxed_str())
}

fn start(by: &str, of: &str) -> Value {
    json!([{"by": by, "of": of, "path": "/p", "line": 3}])
}

#[test]
fn agent_started() {
    let field = |field| pointer("qemu-guest-agent.service", field);
    let condition =
        json!({"section": "Unit", "key": "ConditionPathExists", "value": "/etc/x", "path": UNIT, "line": 4});
    let gap = json!({"unknown": {"path": "/x", "reason": "cut short"}});
    rows(
        "agent-started",
        &[
            (field("/state"), json!("enabled"), Pass, Full, Some(RULE), Some(2), "is started by dev-virtio"),
            (field("/state"), json!("masked"), Fail, Full, Some(UNIT), None, "is masked"),
            (field("/state"), json!("masked-runtime"), Pass, Full, Some(RULE), Some(2), "started by"),
            (field("/state"), json!("not-found"), Fail, Full, Some(UNIT), None, "no unit file"),
            (field("/state"), gap.clone(), Unknown, Full, Some("/x"), None, "cut short"),
            (field("/starts"), json!([]), Fail, Full, Some(UNIT), None, "is static: nothing starts it"),
            (
                field("/starts"),
                json!({"items": [], "gaps": [{"reason": "cut short"}]}),
                Unknown,
                Full,
                None,
                None,
                "cut short",
            ),
            (
                field("/starts"),
                start("wants", "multi-user.target"),
                Pass,
                Full,
                Some("/p"),
                Some(3),
                "multi-user.target (wants)",
            ),
            (field("/starts"), start("preset", "multi-user.target"), Pass, Full, Some("/p"), Some(3), "(preset)"),
            (
                field("/starts"),
                start("requires", r"dev-virtio\x2dports-org.qemu.guest_agent.0.device"),
                Pass,
                Full,
                Some("/p"),
                Some(3),
                "(requires)",
            ),
            (
                field("/starts"),
                start("udev", "SUBSYSTEM==\"net\""),
                Unknown,
                Full,
                Some("/p"),
                None,
                "may not be there",
            ),
            (field("/starts"), start("wants", "dev-sdb.device"), Unknown, Full, Some("/p"), None, "may not be there"),
            (field("/refused"), condition, Fail, Full, Some(UNIT), Some(4), "ConditionPathExists=/etc/x keeps it"),
            (field("/refused"), gap, Unknown, Full, Some("/x"), None, "cut short"),
            (field("/name"), json!("qemu-ga.service"), Pass, Full, Some(RULE), Some(2), "qemu-ga.service is started"),
            (field("/name"), json!(r"qemu-ga@virtio\x2dports-x.service"), Pass, Full, Some(RULE), Some(2), "qemu-ga@"),
            (field("/name"), json!("qemu-ga@.service"), Pass, Full, Some(RULE), Some(2), "qemu-ga@.service is started"),
            (
                field("/name"),
                json!("other.service"),
                Fail,
                Full,
                None,
                None,
                "there is no unit qemu-guest-agent.service",
            ),
            ("/units", json!({"unknown": {"reason": "there is no systemd"}}), Unknown, Full, None, None, "no systemd"),
        ],
    );
}

#[test]
fn without_an_agent_nothing_is_to_be_started() {
    let mut value = saved("healthy");
    *at(&mut value, "/packages") = json!([]);
    assert_eq!(judge(&value, "agent-started").verdict.word(), Pass, "the unit is there all the same");
    *at(&mut value, "/units") = json!([]);
    let judgement = judge(&value, "agent-started");
    assert_eq!(judgement.verdict.word(), NotApplicable, "{judgement:?}");
    *at(&mut value, "/packages") = json!({"unknown": {"reason": "cut short"}});
    assert_eq!(evidence(&judge(&value, "agent-started")).found, "cut short");
}

#[test]
fn irqbalance_enabled() {
    let field = |field| pointer("irqbalance.service", field);
    let wants = "/etc/systemd/system/multi-user.target.wants/irqbalance.service";
    rows(
        "irqbalance-enabled",
        &[
            (field("/state"), json!("static"), Pass, Full, Some(wants), None, "started by multi-user.target"),
            (
                field("/starts"),
                json!([]),
                Fail,
                Full,
                Some("/usr/lib/systemd/system/irqbalance.service"),
                None,
                "nothing starts it",
            ),
            (field("/name"), json!("x.service"), Fail, Full, None, None, "there is no unit irqbalance.service"),
            ("/units", json!({"items": [], "gaps": [{"reason": "cut short"}]}), Unknown, Full, None, None, "cut short"),
        ],
    );
}
