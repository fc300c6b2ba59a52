//! cloud-init's configuration, against cloud-init and ds-identify themselves: those of the Debian 12 and 13 test images.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test code"
)]

use crate::common::{image, tool};
use bootworthy::disk::filesystem::{Directory, Root};
use bootworthy::guest::{CloudInit, login};
use bootworthy::limits::Limits;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use tempfile::TempDir;

type Files = &'static [(&'static str, &'static str)];

/// Configurations that both must read alike, by path below /etc/cloud.
const ALIKE: &[Files] = &[
    &[],
    &[("cloud.cfg", "")],
    &[("cloud.cfg", "# nothing\n")],
    // Debian 12, shortened.
    &[(
        "cloud.cfg",
        "users:\n   - default\n\n\ndisable_root: true\npreserve_hostname: false\ncloud_init_modules:\n - migrator\n - write-files\n - growpart\n - resizefs\n - ssh\ncloud_config_modules:\n - snap\n - ssh-import-id\nsystem_info:\n   distro: debian\n   default_user:\n     name: debian\n     lock_passwd: True\n     sudo: [\"ALL=(ALL) NOPASSWD:ALL\"]\n     shell: /bin/bash\n",
    )],
    // dpkg-reconfigure's file, and Ubuntu's.
    &[
        ("cloud.cfg", "datasource_list: [ Ec2 ]\n"),
        (
            "cloud.cfg.d/90_dpkg.cfg",
            "# to update this file, run dpkg-reconfigure cloud-init\ndatasource_list: [ NoCloud, ConfigDrive, OpenStack, None ]\n",
        ),
    ],
    // Sorted as bytes: 10 before 9, upper case before lower.
    &[
        ("cloud.cfg.d/9.cfg", "datasource_list: [ A, B ]\n"),
        ("cloud.cfg.d/10.cfg", "datasource_list: [ C, D ]\n"),
        ("cloud.cfg.d/Z.cfg", "ssh_deletekeys: 0\n"),
        ("cloud.cfg.d/a.cfg", "ssh_deletekeys: 1\n"),
    ],
    &[
        ("cloud.cfg.d/x.cfg.dpkg-old", "datasource_list: [ A, B ]\n"),
        ("cloud.cfg.d/README", "datasource_list: [ C ]\n"),
    ],
    &[("cloud.cfg", "datasource_list:\n  - ConfigDrive\n  - OpenStack\n")],
    &[("cloud.cfg", "datasource_list:\n- ConfigDrive\n- 'OpenStack'\n- \"None\"\n")],
    &[("cloud.cfg", "datasource_list: ['ConfigDrive', \"OpenStack\"]\n")],
    &[("cloud.cfg", "datasource_list: []\n")],
    &[("cloud.cfg", "datasource_list:\n")],
    &[("cloud.cfg", "datasource_list: null\n"), ("cloud.cfg.d/1.cfg", "x: y\n")],
    &[("cloud.cfg", "datasource_list: [A, B]\ndatasource_list: [C, D]\n")],
    &[("cloud.cfg", "x: &x [OpenStack, None]\ndatasource_list: *x\n")],
    // Merging: mappings within each other, a later scalar, list or null over a mapping and the reverse.
    &[
        ("cloud.cfg", "system_info: {default_user: {name: debian, shell: /bin/sh}, distro: debian}\n"),
        ("cloud.cfg.d/1.cfg", "system_info: {default_user: {shell: /bin/bash}}\n"),
        ("cloud.cfg.d/2.cfg", "system_info: {default_user: {name: admin}}\n"),
    ],
    &[("cloud.cfg", "system_info: {default_user: {name: a}}\n"), ("cloud.cfg.d/1.cfg", "system_info: text\n")],
    &[("cloud.cfg", "system_info: {default_user: {name: a}}\n"), ("cloud.cfg.d/1.cfg", "system_info: [text]\n")],
    &[("cloud.cfg", "growpart: {mode: auto}\n"), ("cloud.cfg.d/1.cfg", "growpart: null\n")],
    &[("cloud.cfg", "growpart: {mode: auto}\n"), ("cloud.cfg.d/1.cfg", "growpart: 5\n")],
    &[("cloud.cfg", "growpart: {mode: auto}\n"), ("cloud.cfg.d/1.cfg", "growpart: 'off'\n")],
    &[("cloud.cfg", "growpart: {mode: auto, devices: [/]}\n"), ("cloud.cfg.d/1.cfg", "growpart: {mode: off}\n")],
    &[("cloud.cfg", "growpart: {devices: ['/', '/data']}\n"), ("cloud.cfg.d/1.cfg", "growpart: {devices: ['/srv']}\n")],
    &[("cloud.cfg", "growpart: {devices: /}\nresize_rootfs: noblock\n")],
    &[("cloud.cfg", "growpart: {mode: 'no'}\nresize_rootfs: False\ndisable_root: 'yes'\n")],
    &[("cloud.cfg", "growpart: {mode: 0}\nresize_rootfs: 'off'\ndisable_root: 0\nssh_deletekeys: no\n")],
    &[("cloud.cfg", "ssh_deletekeys: 'no'\ndisable_root: On\nresize_rootfs: 1\n")],
    &[("cloud.cfg", "ssh_deletekeys: ''\ndisable_root: nonsense\nresize_rootfs: ~\n")],
    &[("cloud.cfg", "ssh_deletekeys: 0x0\ndisable_root: y\n")],
    // Modules in every shape; a list that replaces one.
    &[
        (
            "cloud.cfg",
            "cloud_init_modules: [growpart, ssh]\ncloud_final_modules:\n - [scripts-user, always]\n - name: phone_home\n",
        ),
        ("cloud.cfg.d/1.cfg", "cloud_init_modules: ['cc_growpart', resizefs.py, ' ssh ']\n"),
    ],
    &[("cloud.cfg", "conf_d: ''\n"), ("cloud.cfg.d/1.cfg", "datasource_list: [ A, B ]\n")],
    &[("cloud.cfg", "x: &x {default_user: {name: a}}\nsystem_info: {<<: *x, distro: debian}\n")],
    &[("cloud.cfg", "\u{feff}datasource_list: [ A, B ]\r\n")],
    &[("cloud.cfg", "---\ndatasource_list: [ A, B ]\n...\n")],
    &[("cloud.cfg", "{\"datasource_list\": [\"A\", \"B\"]}\n")],
    &[(
        "cloud.cfg",
        "a: |\n  datasource_list: text\nb: >-\n  x\n  y\nsystem_info: {default_user: {name: 'd''ebian'}}\n",
    )],
];

/// Files that cloud-init ignores, or that decide by what only an instance knows: they must be unknown, whatever follows.
const UNKNOWN: &[Files] = &[
    &[("cloud.cfg", "a: [\n"), ("cloud.cfg.d/1.cfg", "datasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "- a\n")],
    &[("cloud.cfg", "text\n")],
    &[("cloud.cfg", "a: !unknown b\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: =\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: 2001-02-30\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: b\n---\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: *nowhere\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "? [a]\n: b\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: {<<: b}\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: b\n\tdatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: '\u{1}'\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: b: c\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: @b\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: `b\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: %b\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: [b,,c]\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: \"\\q\"\ndatasource_list: [OpenStack]\n")],
    &[("cloud.cfg", "a: b\n c: d\ndatasource_list: [OpenStack]\n")],
];

/// What cloud-init makes of each tree: its own functions, called as its modules call them.
const ORACLE: &str = r#"
import json, logging, sys
from types import SimpleNamespace
logging.disable(logging.CRITICAL)
sys.path.insert(0, sys.argv[1])
from cloudinit import util
from cloudinit.config.modules import Modules, form_module_name
out = []
for root in sys.argv[2:]:
    path = root + "/etc/cloud/cloud.cfg"
    own = util.read_conf_with_confd(path)
    cfg = util.mergemanydict([util.read_conf_with_confd(path), util.get_builtin_cfg()])
    names = own["datasource_list"] if "datasource_list" in own else None
    grow = cfg["growpart"] if "growpart" in cfg else {"mode": "auto"}
    mode, devices = "off", ["/"]
    if isinstance(grow, dict):
        mode = grow.get("mode", "auto")
        mode = "off" if util.is_false(mode) else str(mode)
        devices = util.get_cfg_option_list(grow, "devices", ["/"])
    modules = []
    for stage in ["cloud_init_modules", "cloud_config_modules", "cloud_final_modules"]:
        for item in Modules._read_modules(SimpleNamespace(cfg=cfg), stage):
            modules.append(form_module_name(item["mod"])[len("cc_"):])
    user = cfg["system_info"].get("default_user")
    out.append({
        "datasources": None if "datasource_list" not in own else (names or []),
        "modules": modules,
        "default_user": user.get("name") if isinstance(user, dict) else None,
        "disable_root": util.get_cfg_option_bool(cfg, "disable_root", True),
        "deletes_host_keys": bool(cfg.get("ssh_deletekeys", True)),
        "growpart": mode,
        "growpart_devices": devices,
        "resizes_root": util.translate_bool(util.get_cfg_option_str(cfg, "resize_rootfs", True), addons=["noblock"]),
    })
print(json.dumps(out))
"#;

/// Its configuration and its list, as ds-identify's own functions find them.
const IDENTIFY: &str = r#"
DI_MAIN=noop DI_LOG=/dev/null PATH_ROOT=$2
. "$1"
DI_KERNEL_CMDLINE="" DI_UNAME_MACHINE=x86_64 DI_UNAME_KERNEL_NAME=Linux
read_config
name=$DI_DSNAME DI_DSNAME="" DI_DSLIST=""
read_datasource_list 2>/dev/null
[ "$DI_DSLIST" != "$DI_DSLIST_DEFAULT" ] || DI_DSLIST=""
printf '%s|%s|%s\n' "$DI_MODE" "$name" "$DI_DSLIST"
"#;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let tree = TempDir::new().unwrap();
    for (path, body) in files {
        let path = tree.path().join("etc/cloud").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
    tree
}

fn read(tree: &Path) -> CloudInit {
    let root = Root::new(Rc::new(Directory::new(fs::File::open(tree).unwrap())), 1000);
    login::cloud_init(&root, &Limits::default()).unwrap()
}

/// `path` of a test image's root file system, copied into a folder by debugfs.
fn copied(name: &str, path: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let raw = folder.path().join("raw");
    tool("qemu-img", ["convert", "-O", "raw", image(name).to_str().unwrap(), raw.to_str().unwrap()]);
    let table: Value = serde_json::from_slice(&tool("sfdisk", ["-J", raw.to_str().unwrap()])).unwrap();
    let starts = table["partitiontable"]["partitions"].as_array().unwrap().iter().map(|p| p["start"].as_u64().unwrap());
    let volume = format!("{}?offset={}", raw.display(), starts.max().unwrap() * 512);
    tool("debugfs", ["-R", &format!("rdump {path} {}", folder.path().display()), &volume]);
    fs::remove_file(raw).unwrap();
    folder
}

fn python(folder: &Path, trees: &[TempDir]) -> Vec<Value> {
    let python =
        std::env::var_os("BOOTWORTHY_PYTHON").expect("BOOTWORTHY_PYTHON is not set; run the tests with tests/run");
    let output =
        Command::new(python).args(["-c", ORACLE]).arg(folder).args(trees.iter().map(TempDir::path)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn cloud_init_reads_its_configuration_the_same() {
    for name in ["debian12", "debian13"] {
        let package = copied(name, "/usr/lib/python3/dist-packages/cloudinit");
        let trees: Vec<TempDir> = ALIKE.iter().map(|files| tree(files)).collect();
        for ((files, tree), theirs) in ALIKE.iter().zip(&trees).zip(python(package.path(), &trees)) {
            let mut ours = serde_json::to_value(read(tree.path())).unwrap();
            let list = ours["datasources"].take();
            ours["datasources"] = list.get("names").cloned().unwrap_or(list);
            for (key, value) in theirs.as_object().unwrap() {
                assert_eq!(&ours[key], value, "{name}: {key} of {files:?}");
            }
        }
    }
}

#[test]
fn what_cloud_init_ignores_is_unknown() {
    let package = copied("debian12", "/usr/lib/python3/dist-packages/cloudinit");
    let trees: Vec<TempDir> = UNKNOWN.iter().map(|files| tree(files)).collect();
    for ((files, tree), theirs) in UNKNOWN.iter().zip(&trees).zip(python(package.path(), &trees)) {
        let is_overruled = files.len() > 1;
        assert_eq!(theirs["datasources"].is_null(), !is_overruled, "cloud-init does not ignore {files:?}");
        let ours = serde_json::to_value(read(tree.path())).unwrap();
        assert!(ours["datasources"].get("unknown").is_some(), "{files:?}: {}", ours["datasources"]);
    }
}

#[test]
fn ds_identify_reads_the_same_lines() {
    let own: &[Files] = &[
        &[("ds-identify.cfg", "policy: enabled\n")],
        &[("ds-identify.cfg", "policy: search,found=all,maybe=none,notfound=disabled # x\ndatasource: 'Ec2'\n")],
        &[("ds-identify.cfg", "  policy :  report \npolicy: disabled\n")],
        &[("ds-identify.cfg", "policy: disabled")],
        &[("ds-identify.cfg", "datasource: OpenStack\n#policy: disabled\n")],
        &[("cloud.cfg", "datasource_list: [ A ]\nx:\n  datasource_list: [ B, C ]\n")],
        &[("cloud.cfg", "datasource_list: [ A, B ]\n"), ("cloud.cfg.d/1.cfg", "# datasource_list: [ C ]\n")],
    ];
    // Version 25 also finds a key in quotes and does not read a list of lines; the merged list says those.
    let is_line = |files: &&Files| {
        files.iter().all(|(_, body)| !body.contains("\"datasource_list\"") && !body.contains('\u{feff}'))
    };
    for name in ["debian12", "debian13"] {
        let script = copied(name, "/usr/lib/cloud-init");
        let script = script.path().join("cloud-init/ds-identify");
        for files in own.iter().chain(ALIKE).filter(is_line) {
            let tree = tree(files);
            let output = tool("sh", ["-c", IDENTIFY, "sh", script.to_str().unwrap(), tree.path().to_str().unwrap()]);
            let theirs = String::from_utf8(output).unwrap();
            let ours = serde_json::to_value(read(tree.path())).unwrap();
            let policy = ours["policy"].as_str().unwrap_or("search");
            let mode = policy.split(',').next().unwrap();
            let names: Vec<&str> =
                ours["identified"]["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let expected = format!("{mode}|{}|{}\n", ours["datasource"].as_str().unwrap_or_default(), names.join(" "));
            assert_eq!(expected, theirs, "{name}: {files:?}");
        }
    }
}

#[test]
fn the_images_are_read_without_a_gap() {
    for (name, user) in [("debian12", "debian"), ("debian13", "debian")] {
        let run = crate::common::bootworthy(["inspect", image(name).to_str().unwrap()]);
        let facts: Value = serde_json::from_str(&run.stdout).unwrap();
        let cloud_init = &facts["cloud_init"];
        assert_eq!(cloud_init["default_user"], user, "{name}: {cloud_init}");
        assert!(!cloud_init.to_string().contains("\"unknown\""), "{name}: {cloud_init}");
        for module in ["growpart", "resizefs", "ssh"] {
            assert!(cloud_init["modules"].as_array().unwrap().contains(&json!(module)), "{name}: {cloud_init}");
        }
        let states: Vec<&str> =
            facts["machine_ids"].as_array().unwrap().iter().map(|id| id["state"].as_str().unwrap()).collect();
        assert_eq!((states, &facts["host_keys"]), (vec!["empty", "absent"], &json!([])), "{name}");
        let rows = facts["accounts"]["shadow"].as_array().unwrap();
        assert!(
            rows.len() > 15 && rows.iter().all(|row| row["password"] == "none" || row["password"] == "locked"),
            "{name}"
        );
    }
}
