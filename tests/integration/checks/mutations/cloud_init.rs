//! cloud-init is there, runs, and asks OpenStack.

use super::CMDLINE;
use super::login::{add, disable, file, gap, mask, rows, set, unit, without};
use crate::checks::{at, judge, saved};
use bootworthy::verdict::Word::{Fail, NotApplicable, Pass, Unknown};
use serde_json::{Value, json};

fn folder(value: &mut Value, path: &str) {
    add(value, "/files", json!({"path": path, "kind": "folder", "is_executable": false}));
}

fn words(value: &mut Value, words: &str) {
    *at(value, CMDLINE) = json!(format!("root=UUID=x ro console=ttyS0 {words}"));
}

fn list(names: &[&str]) -> Value {
    json!({"names": names, "path": "/etc/cloud/cloud.cfg", "line": 9})
}

#[test]
fn cloud_init_present() {
    const NONE: &str = "neither cloud-init nor";
    rows(
        "cloud-init-present",
        &[
            (|_| (), Pass, "cloud-init-generator: cloud-init-local.service is enabled"),
            (|v| file(v, "/etc/cloud/cloud-init.disabled"), Fail, "/etc/cloud/cloud-init.disabled: this file keeps"),
            (|v| words(v, "cloud-init=disabled"), Fail, "grub.cfg: cloud-init=disabled"),
            (|v| words(v, "-- cloud-init=disabled"), Pass, ""),
            (|v| words(v, "ci.di.policy=disabled"), Fail, "grub.cfg: ci.di.policy=disabled"),
            (|v| set(v, "policy", json!("disabled")), Fail, "/etc/cloud/ds-identify.cfg: policy: disabled"),
            (|v| set(v, "policy", json!("search,found=all")), Pass, ""),
            (|v| set(v, "policy", json!({"unknown": "x"})), Unknown, "x"),
            (|v| mask(v, "cloud-init-local.service"), Fail, "cloud-init-local.service is masked"),
            (|v| mask(v, "cloud-init.service"), Fail, "cloud-init.service is masked"),
            (|v| disable(v, "cloud-init.service"), Fail, "cloud-init.service is disabled"),
            (|v| disable(v, "cloud-final.service"), Pass, ""),
            (
                |v| unit(v, "cloud-init.service")["name"] = json!("other.service"),
                Fail,
                "there is no unit cloud-init.service",
            ),
            (
                |v| {
                    without(v, "generator");
                    unit(v, "cloud-init.service")["starts"] = json!([]);
                },
                Fail,
                "cloud-init's generator",
            ),
            (
                |v| folder(v, "/etc/systemd/system-generators/cloud-init-generator"),
                Pass,
                "started by cloud-init.target",
            ),
            (|v| without(v, "/cloud-init"), Fail, NONE),
            (|v| gap(v, "/files"), Unknown, "cut short"),
            (|v| gap(v, "/units"), Unknown, "cut short"),
            (|v| *at(v, "/files") = json!([]), Fail, NONE),
            (
                |v| {
                    *at(v, "/units") = json!({"unknown": "no systemd"});
                    file(v, "/etc/runlevels/boot/cloud-init");
                },
                Pass,
                "/etc/runlevels/boot/cloud-init: OpenRC",
            ),
            (
                |v| {
                    without(v, "bin/cloud-init");
                    file(v, "/etc/runlevels/default/tiny-cloud-main");
                },
                Pass,
                "tiny-cloud-main: this configures",
            ),
            (
                |v| {
                    without(v, "bin/cloud-init");
                    folder(v, "/usr/lib/dracut/modules.d/30ignition");
                    words(v, "ignition.platform.id=openstack");
                },
                Pass,
                "30ignition: Ignition",
            ),
            (
                |v| {
                    without(v, "bin/cloud-init");
                    folder(v, "/usr/lib/dracut/modules.d/30ignition");
                },
                Fail,
                NONE,
            ),
            (
                |v| {
                    without(v, "bin/cloud-init");
                    file(v, "/usr/bin/afterburn");
                },
                Fail,
                NONE,
            ),
        ],
    );
}

#[test]
fn cloud_init_present_in_debian_13() {
    for (name, word) in [
        ("", Pass),
        ("cloud-init-main.service", Fail),
        ("cloud-init-network.service", Fail),
        ("cloud-config.service", Pass),
    ] {
        let mut value = saved("debian-13");
        if !name.is_empty() {
            mask(&mut value, name);
        }
        assert_eq!(judge(&value, "cloud-init-present").verdict.word(), word, "{name}");
    }
}

#[test]
fn cloud_init_datasource() {
    rows(
        "cloud-init-datasource",
        &[
            (|_| (), Pass, "90_dpkg.cfg: datasource_list has ConfigDrive, OpenStack, None"),
            (|v| set(v, "datasources", list(&["Ec2", "None"])), Fail, "cloud.cfg: datasource_list has Ec2, None"),
            (|v| set(v, "datasources", list(&["openstack"])), Fail, "datasource_list has openstack"),
            (|v| set(v, "datasources", list(&[])), Fail, "datasource_list has nothing"),
            (|v| set(v, "datasources", Value::Null), Pass, "built-in"),
            (|v| set(v, "datasources", json!({"unknown": "not YAML"})), Unknown, "not YAML"),
            (|v| set(v, "identified", list(&["Ec2"])), Fail, "the line that ds-identify reads"),
            (|v| set(v, "identified", Value::Null), Pass, ""),
            (|v| set(v, "datasource", json!("Ec2")), Fail, "ds-identify.cfg: datasource: Ec2"),
            (|v| set(v, "datasource", json!("OpenStack")), Pass, ""),
            (|v| words(v, "ds=nocloud;s=http://x/"), Fail, "ask nocloud and nothing else"),
            (|v| words(v, "ds=openstack"), Pass, ""),
            (|v| words(v, "ci.ds=Ec2 ds=OpenStack"), Pass, ""),
            (|v| words(v, "ci.datasource=Ec2"), Fail, "grub.cfg: "),
            (|v| words(v, "cc:{'datasource_list':['Ec2']}"), Unknown, "configures cloud-init"),
            (|v| words(v, "url=http://x/"), Unknown, "configures cloud-init"),
            (|v| without(v, "bin/cloud-init"), NotApplicable, "not installed"),
        ],
    );
    let mut value = saved("healthy");
    set(&mut value, "datasources", list(&["OpenStack"]));
    let judgement = judge(&value, "cloud-init-datasource");
    assert!(judgement.notes[0].found.contains("lacks ConfigDrive"), "{judgement:?}");
    set(&mut value, "datasources", list(&["Ec2"]));
    set(&mut value, "identified", list(&["Ec2"]));
    let judgement = judge(&value, "cloud-init-datasource");
    let bootworthy::verdict::Verdict::Fail(faults) = &judgement.verdict else { panic!("{judgement:?}") };
    assert_eq!(faults.len(), 1, "the same line is told once");
}
