//! modprobe.d against kmod's own modprobe: what it reads and in which order, and what it then loads.

use crate::checks::judge;
use crate::common::{bootworthy, fixture, image, tool};
use bootworthy::disk::filesystem::{Directory, Root};
use bootworthy::guest::modprobe;
use bootworthy::limits::Limits;
use bootworthy::verdict::Word;
use serde_json::{Value, json};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

const COMMANDS: [&str; 4] = ["blacklist", "install", "options", "softdep"];

/// Writes `files` below `root`; `-> target` stands for a link.
fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, body) in files {
        let path = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match body.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => fs::write(path, body).unwrap(),
        }
    }
}

fn rules(root: &Path) -> Value {
    let directory = OwnedFd::from(fs::File::open(root).unwrap());
    let limits = Limits::default();
    let root = Root::new(Rc::new(Directory::new(directory)), limits.directory_entries);
    serde_json::to_value(modprobe::rules(&root, &limits)).unwrap()
}

/// The lines of `modprobe -c` by command, without what it takes from this machine's own command line.
fn configuration(folders: &[String]) -> Vec<String> {
    let dumped = |folders: &[String]| -> Vec<String> {
        let mut args = vec!["-c".to_owned()];
        args.extend(folders.iter().flat_map(|folder| ["-C".to_owned(), folder.clone()]));
        let text = String::from_utf8(tool("modprobe", args)).unwrap();
        let lines = text.split('\n').take_while(|line| !line.contains("Dumping indexes"));
        lines
            .filter(|line| COMMANDS.iter().any(|word| line.starts_with(&format!("{word} "))))
            .map(str::to_owned)
            .collect()
    };
    let empty = tempfile::tempdir().unwrap();
    let own = dumped(&[empty.path().to_str().unwrap().to_owned()]);
    dumped(folders).into_iter().filter(|line| !own.contains(line)).collect()
}

/// Our rules as `modprobe -c` writes them: by command, each in reading order.
fn ours(rules: &Value) -> Vec<String> {
    let rules = rules.as_array().unwrap_or_else(|| panic!("gaps: {rules}"));
    let of = |command: &str| -> Vec<String> {
        let is = |rule: &&Value| rule["command"] == command;
        let line = |rule: &Value| {
            let (module, rest) = (rule["module"].as_str().unwrap(), rule["rest"].as_str().unwrap());
            let rest = if command == "softdep" { softdep(rest) } else { rest.to_owned() };
            if rest.is_empty() { format!("{command} {module}") } else { format!("{command} {module} {rest}") }
        };
        rules.iter().filter(is).map(line).collect()
    };
    COMMANDS.iter().flat_map(|command| of(command)).collect()
}

/// `softdep_to_char`: first what comes before, then what comes after.
fn softdep(rest: &str) -> String {
    let (mut before, mut after, mut mode) = (String::new(), String::new(), "");
    for word in rest.split_ascii_whitespace() {
        match (word, mode) {
            ("pre:" | "post:", _) => mode = word,
            (word, "pre:") => before += &format!("{}{word}", if before.is_empty() { "pre: " } else { " " }),
            (word, "post:") => after += &format!("{}{word}", if after.is_empty() { "post: " } else { " " }),
            _ => {}
        }
    }
    before + &after
}

fn folders(root: &Path) -> Vec<String> {
    let paths = ["etc/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d"].map(|path| root.join(path));
    paths.iter().filter(|path| path.exists()).map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn made_up_trees_are_read_as_modprobe_reads_them() {
    let long = "options snd-a ".to_owned() + &"x=1 ".repeat(400);
    for files in [
        &[("etc/modprobe.d/b.conf", "blacklist b-b\n"), ("usr/lib/modprobe.d/a.conf", "blacklist a\n")][..],
        &[("etc/modprobe.d/a.conf", "blacklist etc\n"), ("usr/lib/modprobe.d/a.conf", "blacklist lib\n")],
        &[("etc/modprobe.d/a.conf", "-> /dev/null"), ("usr/lib/modprobe.d/a.conf", "blacklist lib\n")],
        &[
            ("etc/modprobe.d/a.conf", "-> ../x"),
            ("etc/x", "blacklist x\n"),
            ("usr/lib/modprobe.d/a.conf", "blacklist lib\n"),
        ],
        &[
            ("etc/modprobe.d/a.conf", "install a /bin/false\ninstall a /bin/true\n"),
            ("etc/modprobe.d/B.conf", "install a x\n"),
        ],
        &[("etc/modprobe.d/a.conf", "install a one \\\n two\noptions b  c=1\td=2 \n# x\n  blacklist  y z\n")],
        &[("etc/modprobe.d/a.conf", "install\ninstall a\nblacklist\noptions x\noptions x \nbogus y\nblacklist x]\n")],
        &[("etc/modprobe.d/a.conf", "softdep a pre: b c post: d\nsoftdep e post: f pre: g\nsoftdep h pre: i")],
        &[("etc/modprobe.d/a.conf", "blacklist a[-]b-c\ninstall virtio_* /bin/true\nblacklist x\\y\\\n")],
        &[("etc/modprobe.d/a.conf", "blacklist a\r\nblacklist b\n"), ("etc/modprobe.d/.h.conf", "blacklist h\n")],
        &[("etc/modprobe.d/a.conf.bak", "blacklist a\n"), ("etc/modprobe.d/a", "blacklist a\n")],
        &[("etc/modprobe.d/a.alias", "blacklist alias\n"), ("etc/modprobe.d/x.conf/y.conf", "blacklist y\n")],
        &[("usr/local/lib/modprobe.d/a.conf", "blacklist local\n"), ("usr/lib/modprobe.d/a.conf", "blacklist lib\n")],
        &[("etc/modprobe.d/10-a.conf", "options a b=1\n"), ("usr/lib/modprobe.d/9-a.conf", "options a b=2\n")],
        &[("etc/modprobe.d/a.conf", long.as_str())],
        &[("etc/modprobe.d/a.conf", "")],
    ] {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/modprobe.d")).unwrap();
        write(root.path(), files);
        assert_eq!(ours(&rules(root.path())), configuration(&folders(root.path())), "{files:?}");
    }
}

/// Copies `path` out of the root file system of `disk`, whose facts are `facts`.
fn copy_out(disk: &Path, facts: &Value, path: &str, to: &Path) {
    let volumes = facts["volumes"].as_array().unwrap();
    let root = volumes.iter().find(|volume| volume["number"] == facts["root"]["volume"]).unwrap();
    let place = format!("{}?offset={}", disk.display(), root["start"]);
    fs::create_dir_all(to).unwrap();
    tool("debugfs", ["-R", &format!("rdump {path} {}", to.display()), &place]);
}

fn raw(image: &Path, folder: &Path) -> (std::path::PathBuf, Value) {
    let disk = folder.join("disk.raw");
    tool("qemu-img", ["convert", "-O", "raw", image.to_str().unwrap(), disk.to_str().unwrap()]);
    let facts = serde_json::from_str(&bootworthy(["inspect", disk.to_str().unwrap()]).stdout).unwrap();
    (disk, facts)
}

#[test]
fn debian_images_are_read_as_modprobe_reads_them() {
    for name in ["debian12", "debian13"] {
        let folder = tempfile::tempdir().unwrap();
        let (disk, facts) = raw(&image(name), folder.path());
        let root = folder.path().join("root");
        copy_out(&disk, &facts, "/etc/modprobe.d", &root.join("etc"));
        copy_out(&disk, &facts, "/usr/lib/modprobe.d", &root.join("usr/lib"));
        let expected = configuration(&folders(&root));
        assert!(expected.len() > 20, "{name}: {expected:?}");
        assert_eq!(ours(&facts["modprobe"]), expected, "{name}");
        let initrd = &facts["initrds"][0]["modprobe"];
        assert_eq!(ours(initrd), expected, "{name}: the initrd has the same");
    }
}

/// Module, a name by which its device asks for it, the check that judges it, whether the initrd loads it.
const MODULES: [(&str, &str, &str, bool); 3] = [
    ("virtio_scsi", "virtio:d00000008v00001AF4", "initrd-virtio-scsi", true),
    ("virtio_blk", "virtio:d00000002v00001AF4", "initrd-virtio-blk", true),
    ("i6300esb", "pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00", "watchdog-loadable", false),
];

/// What stands in a file of modprobe.d, with the module's name for `M`.
const CASES: [&str; 16] = [
    "",
    "blacklist M\n",
    "  blacklist\tM extra\n",
    "#blacklist M\n",
    "blacklist M-DASH\n",
    "blacklist \\\nM\n",
    "blacklist M*\n",
    "install M /bin/false\n",
    "install M /bin/true\n",
    "install * /bin/false\n",
    "install ?other /bin/false\ninstall M\n",
    "install M /usr/bin/false\ninstall M /sbin/insmod\n",
    "install M /sbin/modprobe --ignore-install M\n",
    "options M a=1\nsoftdep M pre: loop\nremove M /bin/false\n",
    "install loop /bin/false\n",
    "blacklist M\ninstall M /bin/false\n",
];

/// What modprobe does for a device: loads it, does not, or runs a command of which it does not say what that does.
fn reference(root: &Path, version: &str, conf: &Path, module: &str, alias: &str) -> Word {
    let args = [
        "-n",
        "-v",
        "--show-depends",
        "-C",
        conf.to_str().unwrap(),
        "-d",
        root.to_str().unwrap(),
        "-S",
        version,
        alias,
    ];
    let text = String::from_utf8(tool("modprobe", args)).unwrap();
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("install ")).collect();
    let is_plain =
        |command: &&str| ["true", "false"].iter().any(|name| command.trim().ends_with(&format!("bin/{name}")));
    let is_loaded = text.lines().any(|line| line.starts_with("insmod ") && line.contains(&format!("/{module}.ko")));
    match commands.iter().find(|command| !is_plain(command)) {
        _ if commands.iter().any(is_plain) => Word::Fail,
        Some(_) => Word::Unknown,
        None if is_loaded => Word::Pass,
        None => Word::Fail,
    }
}

#[test]
fn what_modprobe_loads_for_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, facts) = raw(&fixture("good.qcow2"), folder.path());
    let version = facts["kernels"][0]["version"].as_str().unwrap();
    let tree = folder.path().join("tree");
    copy_out(&disk, &facts, &format!("/usr/lib/modules/{version}"), &tree.join("lib/modules"));
    for (module, alias, id, is_early) in MODULES {
        for case in CASES {
            let conf = case.replace("M-DASH", &module.replace('_', "-")).replace('M', module);
            let root = tempfile::tempdir().unwrap();
            write(root.path(), &[("etc/modprobe.d/x.conf", &conf)]);
            let mut value = facts.clone();
            let rules = rules(root.path());
            *value.pointer_mut(if is_early { "/initrds/0/modprobe" } else { "/modprobe" }).unwrap() = rules;
            let expected = reference(&tree, version, &root.path().join("etc/modprobe.d"), module, alias);
            let judgement = judge(&value, id);
            assert_eq!(judgement.verdict.word(), expected, "{module}: {conf:?}: {judgement:#?}");
        }
    }
}

/// By its name modprobe loads what a `blacklist` names, and not what an `install` takes the place of.
#[test]
fn what_modprobe_loads_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, facts) = raw(&fixture("good.qcow2"), folder.path());
    let version = facts["kernels"][0]["version"].as_str().unwrap();
    let tree = folder.path().join("tree");
    copy_out(&disk, &facts, &format!("/usr/lib/modules/{version}"), &tree.join("lib/modules"));
    for case in CASES {
        let conf = case.replace("M-DASH", "i6300esb").replace('M', "i6300esb");
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &[("etc/modprobe.d/x.conf", &conf)]);
        let mut value = facts.clone();
        value["modprobe"] = rules(root.path());
        value["module_loads"] = json!([{"module": "i6300esb", "by": "watchdog", "is_forced": true, "path": "/etc/default/watchdog", "line": 6}]);
        let expected = reference(&tree, version, &root.path().join("etc/modprobe.d"), "i6300esb", "i6300esb");
        assert_eq!(judge(&value, "watchdog-loadable").verdict.word(), expected, "{conf:?}");
    }
}
