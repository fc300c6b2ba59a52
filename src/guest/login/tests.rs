//! cloud-init's configuration: which file decides, what each module makes of it, and what cannot be followed.

use super::*;
use crate::guest::memory::Memory;

fn configured(files: &[(&str, &str)]) -> CloudInit {
    let tree = Memory::new("ext4", "", "");
    let tree = files.iter().fold(tree, |tree, (name, body)| tree.file(&format!("/etc/cloud/{name}"), body));
    read(&tree.root(), &Limits::default()).unwrap()
}

fn names(list: &Fact<Option<Datasources>>) -> Option<String> {
    match list {
        Fact::Known(list) => list.as_ref().map(|list| format!("{}:{} {}", list.path, list.line, list.names.join(","))),
        Fact::Unknown(gap) => Some(format!("? {}", gap.reason)),
    }
}

#[test]
fn the_last_file_decides_the_datasources() {
    let (main, dpkg) = ("cloud.cfg", "cloud.cfg.d/90_dpkg.cfg");
    for (files, expected) in [
        (&[][..], None),
        (&[(main, "users: [default]\n")], None),
        (&[(main, "datasource_list: [Ec2]\n")], Some("/etc/cloud/cloud.cfg:1 Ec2")),
        (
            &[(main, "datasource_list: [Ec2]\n"), (dpkg, "# x\ndatasource_list: [ OpenStack, None ]\n")],
            Some("/etc/cloud/cloud.cfg.d/90_dpkg.cfg:2 OpenStack,None"),
        ),
        (
            &[("cloud.cfg.d/9.cfg", "datasource_list: [A]\n"), ("cloud.cfg.d/10.cfg", "datasource_list: [B]\n")],
            Some("/etc/cloud/cloud.cfg.d/9.cfg:1 A"),
        ),
        (&[("cloud.cfg.d/x.cfg.dpkg-old", "datasource_list: [A]\n")], None),
        (&[(main, "datasource_list:\n")], Some("/etc/cloud/cloud.cfg:1 ")),
        (&[(main, "conf_d: /srv\n"), ("cloud.cfg.d/1.cfg", "datasource_list: [A]\n")], None),
        (&[(main, "conf_d: ''\n"), ("cloud.cfg.d/1.cfg", "datasource_list: [A]\n")], None),
        (
            &[(main, "conf_d: /etc/cloud/other\n"), ("other/1.cfg", "datasource_list: [A]\n")],
            Some("/etc/cloud/other/1.cfg:1 A"),
        ),
    ] {
        assert_eq!(names(&configured(files).datasources).as_deref(), expected, "{files:?}");
    }
}

#[test]
fn what_cannot_be_followed_is_a_gap() {
    for body in [
        "a: [\n",
        "- a\n",
        "## template: jinja\ndatasource_list: [OpenStack]\n",
        "merge_how: list(append)\n",
        "datasource_list: OpenStack\n",
        "datasource_list: [[OpenStack]]\n",
        "conf_d: [a]\n",
    ] {
        let found = configured(&[("cloud.cfg", body)]);
        assert!(matches!(found.datasources, Fact::Unknown(_)), "{body}: {found:?}");
    }
    let late = configured(&[("cloud.cfg", "a: b\n"), ("cloud.cfg.d/1.cfg", "a: [\n")]);
    let Fact::Unknown(gap) = &late.default_user else { panic!("{late:?}") };
    assert_eq!(gap.path.as_deref(), Some("/etc/cloud/cloud.cfg.d/1.cfg"));
    let tree = Memory::new("ext4", "", "").unreadable("/etc/cloud/cloud.cfg.d/1.cfg");
    assert!(read(&tree.root(), &Limits::default()).is_err());
    let tree = Memory::new("ext4", "", "").unreadable("/etc/cloud/cloud.cfg");
    assert!(matches!(read(&tree.root(), &Limits::default()).unwrap().identified, Fact::Unknown(_)));
}

#[test]
fn settings_as_the_modules_read_them() {
    for (body, expected) in [
        ("", "auto / root keys resize"),
        ("growpart: {mode: off}", "off / root keys resize"),
        ("growpart: {mode: 'false'}", "off / root keys resize"),
        ("growpart: {mode: growpart, devices: [/, /data]}", "growpart /,/data root keys resize"),
        ("growpart: {devices: []}", "auto  root keys resize"),
        ("growpart: {mode: null}", "None / root keys resize"),
        ("growpart:", "off / root keys resize"),
        ("disable_root: false", "auto / keys resize"),
        ("disable_root: 0", "auto / keys resize"),
        ("ssh_deletekeys: false", "auto / root resize"),
        ("ssh_deletekeys: 'false'", "auto / root keys resize"),
        ("ssh_deletekeys: 0", "auto / root resize"),
        ("resize_rootfs: noblock", "auto / root keys resize"),
        ("resize_rootfs: no", "auto / root keys"),
    ] {
        let found = configured(&[("cloud.cfg", body)]);
        let mut words =
            vec![found.growpart.known().unwrap().clone(), found.growpart_devices.known().unwrap().join(",")];
        for (fact, word) in
            [(&found.disable_root, "root"), (&found.deletes_host_keys, "keys"), (&found.resizes_root, "resize")]
        {
            words.extend(fact.known().unwrap().then(|| word.to_owned()));
        }
        assert_eq!(words.join(" "), expected, "{body}");
    }
}

#[test]
fn modules_and_the_default_user() {
    let body = "\
cloud_init_modules: [seed_random, write-files, cc_growpart.py, [resizefs, always]]
cloud_config_modules: [{name: ssh}]
cloud_final_modules: null
system_info: {default_user: {name: debian}}
";
    let found = configured(&[("cloud.cfg", body), ("cloud.cfg.d/1.cfg", "system_info: {distro: debian}\n")]);
    assert_eq!(found.modules.known().unwrap(), &["seed_random", "write_files", "growpart", "resizefs", "ssh"]);
    assert_eq!(found.default_user, Fact::Known(Some("debian".to_owned())));
}
