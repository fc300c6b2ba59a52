//! The states of units against `systemctl --root=TREE`.

use crate::common::tool;
use crate::readers_guest::open_image;
use bootworthy::disk::filesystem::{Directory, FileType, GuestPath, Root};
use bootworthy::fact::Listing;
use bootworthy::guest::{Unit, systemd};
use bootworthy::limits::Limits;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

const ETC: &str = "/etc/systemd/system";
const USR: &str = "/usr/lib/systemd/system";
const SERVICE: &str = "[Service]\nExecStart=/bin/true\n";
const WANTED: &str = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

/// A path below ETC (`e/`), USR (`u/`) or the root (`/`), and what stands there: `-> target`, `/` for a folder, a text.
type Tree = &'static [(&'static str, &'static str)];

/// Made-up trees; states are asked of every unit file in them, and of the further names.
const TREES: &[(&str, Tree, &[&str])] = &[
    ("static", &[("u/a.service", SERVICE)], &[]),
    ("disabled", &[("u/a.service", WANTED)], &[]),
    (
        "enabled",
        &[("u/a.service", WANTED), ("e/multi-user.target.wants/a.service", "-> /usr/lib/systemd/system/a.service")],
        &[],
    ),
    (
        "enabled through /lib",
        &[("u/a.service", WANTED), ("e/multi-user.target.wants/a.service", "-> /lib/systemd/system/a.service")],
        &[],
    ),
    (
        "a link of another target enables too",
        &[("u/a.service", WANTED), ("e/x.target.requires/a.service", "-> nowhere")],
        &[],
    ),
    ("wanted by the vendor only", &[("u/a.service", SERVICE), ("u/x.target.wants/a.service", "-> ../a.service")], &[]),
    (
        "wanted by the vendor, with rules",
        &[("u/a.service", WANTED), ("u/x.target.wants/a.service", "-> ../a.service")],
        &[],
    ),
    ("masked", &[("u/a.service", WANTED), ("e/a.service", "-> /dev/null")], &[]),
    ("masked by an empty file", &[("u/a.service", WANTED), ("e/a.service", "")], &[]),
    (
        "masked by a link to an empty file",
        &[("u/a.service", WANTED), ("/opt/empty", ""), ("e/a.service", "-> /opt/empty")],
        &[],
    ),
    ("masked by the vendor", &[("u/a.service", "-> /dev/null")], &[]),
    ("masked by the vendor, mended by the admin", &[("u/a.service", "-> /dev/null"), ("e/a.service", WANTED)], &[]),
    ("masked relative", &[("e/a.service", "-> ../../../dev/null")], &[]),
    ("masked in /run", &[("u/a.service", WANTED), ("/run/systemd/system/a.service", "-> /dev/null")], &[]),
    (
        "masked and wanted",
        &[("u/a.service", WANTED), ("e/a.service", "-> /dev/null"), ("e/x.target.wants/a.service", "-> ../a.service")],
        &[],
    ),
    ("alias", &[("u/a.service", SERVICE), ("u/b.service", "-> a.service")], &[]),
    (
        "alias of an alias",
        &[("u/a.service", SERVICE), ("u/b.service", "-> a.service"), ("u/c.service", "-> b.service")],
        &[],
    ),
    (
        "alias made by Alias=",
        &[("u/a.service", "[Install]\nAlias=b.service\n"), ("e/b.service", "-> /usr/lib/systemd/system/a.service")],
        &[],
    ),
    ("Alias= not made", &[("u/a.service", "[Install]\nAlias=b.service\n")], &[]),
    (
        "an alias that [Install] does not know",
        &[("u/a.service", WANTED), ("e/b.service", "-> /usr/lib/systemd/system/a.service")],
        &[],
    ),
    (
        "alias to a masked unit",
        &[("u/a.service", WANTED), ("u/b.service", "-> a.service"), ("e/a.service", "-> /dev/null")],
        &[],
    ),
    ("alias across types", &[("u/a.service", SERVICE), ("u/b.target", "-> a.service")], &[]),
    ("alias of a mount", &[("u/a.mount", "[Mount]\nWhat=x\n"), ("u/b.mount", "-> a.mount")], &[]),
    (
        "alias to a template",
        &[("u/a@.service", SERVICE), ("u/b.service", "-> a@.service"), ("u/b@.service", "-> a@.service")],
        &["b@x.service", "a@x.service"],
    ),
    (
        "instance alias",
        &[
            ("u/a@.service", SERVICE),
            ("e/b@x.service", "-> /usr/lib/systemd/system/a@.service"),
            ("e/a@y.service", "-> /usr/lib/systemd/system/a@.service"),
            ("e/b@z.service", "-> /usr/lib/systemd/system/a@q.service"),
        ],
        &[],
    ),
    ("dangling alias", &[("u/b.service", "-> a.service")], &[]),
    (
        "alias loop",
        &[("u/a.service", "-> b.service"), ("u/b.service", "-> a.service"), ("u/c.service", "-> c.service")],
        &[],
    ),
    ("self alias from /etc", &[("u/a.service", WANTED), ("e/a.service", "-> /usr/lib/systemd/system/a.service")], &[]),
    ("linked", &[("/opt/a.service", WANTED), ("e/a.service", "-> /opt/a.service")], &[]),
    (
        "linked and enabled",
        &[
            ("/opt/a.service", WANTED),
            ("e/a.service", "-> /opt/a.service"),
            ("e/multi-user.target.wants/a.service", "-> /opt/a.service"),
        ],
        &[],
    ),
    ("linked under another name", &[("/opt/b.service", WANTED), ("e/a.service", "-> /opt/b.service")], &[]),
    ("linked in /run", &[("/opt/a.service", WANTED), ("/run/systemd/system/a.service", "-> /opt/a.service")], &[]),
    (
        "linked through a link",
        &[("/opt/a.service", WANTED), ("/srv/a.service", "-> ../opt/a.service"), ("e/a.service", "-> /srv/a.service")],
        &[],
    ),
    ("linked to nothing", &[("e/a.service", "-> /opt/a.service")], &[]),
    (
        "linked over the vendor's",
        &[("u/a.service", WANTED), ("/opt/a.service", SERVICE), ("e/a.service", "-> /opt/a.service")],
        &[],
    ),
    (
        "enabled in /run",
        &[
            ("u/a.service", WANTED),
            ("/run/systemd/system/multi-user.target.wants/a.service", "-> /usr/lib/systemd/system/a.service"),
        ],
        &[],
    ),
    (
        "generated",
        &[
            ("/run/systemd/generator/a.service", SERVICE),
            ("/run/systemd/generator.late/b.service", SERVICE),
            ("/run/systemd/transient/c.service", SERVICE),
        ],
        &[],
    ),
    ("template", &[("u/a@.service", "[Install]\nWantedBy=x.target\n")], &["a@b.service"]),
    (
        "template with an instance enabled",
        &[
            ("u/a@.service", "[Install]\nWantedBy=x.target\n"),
            ("e/x.target.wants/a@b.service", "-> /usr/lib/systemd/system/a@.service"),
        ],
        &["a@b.service", "a@c.service"],
    ),
    (
        "DefaultInstance enabled",
        &[
            ("u/a@.service", "[Install]\nWantedBy=x.target\nDefaultInstance=b\n"),
            ("e/x.target.wants/a@b.service", "-> /usr/lib/systemd/system/a@.service"),
        ],
        &["a@b.service"],
    ),
    (
        "another instance than the default",
        &[
            ("u/a@.service", "[Install]\nWantedBy=x.target\nDefaultInstance=b\n"),
            ("e/x.target.wants/a@c.service", "-> /usr/lib/systemd/system/a@.service"),
        ],
        &["a@c.service"],
    ),
    (
        "DefaultInstance by a specifier, in a plain unit, empty",
        &[
            ("u/a@.service", "[Install]\nWantedBy=x.target\nDefaultInstance=%p\n"),
            ("e/x.target.wants/a@a.service", "-> x"),
            ("u/b.service", "[Install]\nDefaultInstance=b\n"),
            ("u/c@.service", "[Install]\nDefaultInstance=b\nDefaultInstance=\n"),
        ],
        &[],
    ),
    (
        "instance wanted by the vendor",
        &[("u/a@.service", SERVICE), ("u/x.target.wants/a@b.service", "-> ../a@.service")],
        &["a@b.service"],
    ),
    ("template masked", &[("u/a@.service", SERVICE), ("e/a@.service", "-> /dev/null")], &["a@b.service"]),
    ("instance masked", &[("u/a@.service", SERVICE), ("e/a@b.service", "-> /dev/null")], &["a@c.service"]),
    ("template of a mount", &[("u/a@.mount", "[Mount]\nWhat=x\n")], &[]),
    ("Also alone", &[("u/a.service", "[Install]\nAlso=b.service\n"), ("u/b.service", WANTED)], &[]),
    ("Also of itself, with rules", &[("u/a.service", "[Install]\nAlso=a.service b.socket\nWantedBy=x.target\n")], &[]),
    ("Also that is no name", &[("u/a.service", "[Install]\nAlso=nothing\n")], &[]),
    (
        "drop-in with [Install]",
        &[("u/a.service", SERVICE), ("e/a.service.d/x.conf", "[Install]\nWantedBy=x.target\n")],
        &[],
    ),
    (
        "drop-in that resets [Install]",
        &[("u/a.service", WANTED), ("e/a.service.d/x.conf", "[Install]\nWantedBy=\n")],
        &[],
    ),
    (
        "drop-ins of a template",
        &[
            ("u/a@.service", SERVICE),
            ("e/a@.service.d/x.conf", "[Install]\nWantedBy=x.target\n"),
            ("u/a@b.service.d/y.conf", "[Install]\nAlso=c.service\n"),
        ],
        &["a@b.service"],
    ),
    (
        "drop-ins of a prefix and a type do not count",
        &[
            ("u/a-b.service", SERVICE),
            ("e/a-.service.d/x.conf", "[Install]\nWantedBy=x.target\n"),
            ("e/service.d/x.conf", "[Install]\nWantedBy=x.target\n"),
        ],
        &[],
    ),
    (
        "equal drop-ins: /etc counts",
        &[
            ("u/a.service", SERVICE),
            ("u/a.service.d/x.conf", "[Install]\nWantedBy=x.target\n"),
            ("e/a.service.d/x.conf", "[Unit]\n"),
        ],
        &[],
    ),
    ("empty drop-in", &[("u/a.service", WANTED), ("e/a.service.d/x.conf", "")], &[]),
    ("dangling drop-in", &[("u/a.service", WANTED), ("e/a.service.d/x.conf", "-> nowhere")], &[]),
    ("drop-ins without a unit", &[("u/b.service", SERVICE), ("e/a.service.d/x.conf", WANTED)], &["b.service"]),
    (
        "a broken section",
        &[
            ("u/a.service", "[Install\nWantedBy=x.target\n"),
            ("u/b.service", "[Unit]\nx\n=y\n[Install]\nWantedBy = \\\n x.target\n"),
        ],
        &[],
    ),
    (
        "only a comment, only blanks, not UTF-8 in a comment",
        &[("u/a.service", "# nothing\n"), ("u/b.service", "\n"), ("u/c.service", "[Install]\nWantedBy=\"x\n")],
        &[],
    ),
    ("a folder of the name", &[("u/a.service", WANTED), ("e/b.service/x", "")], &["a.service"]),
    (
        "the admin's file over the vendor's",
        &[("u/a.service", WANTED), ("e/a.service", SERVICE), ("e/x.target.wants/a.service", "-> ../a.service")],
        &[],
    ),
    (
        "/usr/local counts before /usr",
        &[("u/a.service", WANTED), ("/usr/local/lib/systemd/system/a.service", SERVICE)],
        &[],
    ),
    (
        "the control folder counts before /etc",
        &[("e/a.service", WANTED), ("/etc/systemd/system.control/a.service", "-> /dev/null")],
        &[],
    ),
    (
        "a wants folder that is a link",
        &[("u/a.service", WANTED), ("/opt/w/a.service", "-> x"), ("e/x.target.wants", "-> /opt/w")],
        &[],
    ),
    ("files in a wants folder are no links", &[("u/a.service", WANTED), ("e/x.target.wants/a.service", WANTED)], &[]),
    (
        "names that are none",
        &[
            ("u/a", SERVICE),
            ("u/@.service", SERVICE),
            ("u/b.conf", SERVICE),
            ("u/c d.service", SERVICE),
            ("u/e.service", SERVICE),
        ],
        &[],
    ),
    (
        "presets do not matter",
        &[("u/a.service", WANTED), ("/usr/lib/systemd/system-preset/90.preset", "enable a.service\n")],
        &[],
    ),
    (
        "a real backslash",
        &[
            ("u/a.service", WANTED),
            (
                r"e/dev-virtio\x2dports-org.qemu.guest_agent.0.device.wants/a.service",
                "-> /usr/lib/systemd/system/a.service",
            ),
        ],
        &[],
    ),
];

fn plant(root: &Path, tree: Tree) {
    fs::create_dir_all(root.join(&USR[1..])).unwrap();
    fs::create_dir_all(root.join(&ETC[1..])).unwrap();
    std::os::unix::fs::symlink("usr/lib", root.join("lib")).unwrap();
    for (path, what) in tree {
        let path = match path.split_once('/').unwrap() {
            ("e", rest) => format!("{ETC}/{rest}"),
            ("u", rest) => format!("{USR}/{rest}"),
            _ => (*path).to_owned(),
        };
        let path = root.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match what.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => fs::write(path, what).unwrap(),
        }
    }
}

fn opened(root: &Path) -> Root {
    let directory: OwnedFd = fs::File::open(root).unwrap().into();
    Root::new(Rc::new(Directory::new(directory)), 10_000)
}

fn read(root: &Root) -> Listing<Unit> {
    systemd::read(root, &Listing::default(), &Limits::default()).unwrap()
}

/// name → state, `bad` where systemctl's listing says no more than that.
fn states(units: &Listing<Unit>) -> BTreeMap<String, String> {
    assert_eq!(units.gaps, []);
    let state = |unit: &Unit| unit.state.known().unwrap_or_else(|| panic!("{unit:?}")).replace("not-found", "bad");
    units.items.iter().map(|unit| (unit.name.clone(), state(unit))).collect()
}

fn systemctl(root: &Path) -> BTreeMap<String, String> {
    let argument = format!("--root={}", root.display());
    let text = tool("systemctl", [argument.as_str(), "list-unit-files", "--full", "--no-legend", "--no-pager"]);
    let text = String::from_utf8(text).unwrap();
    let row = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    };
    text.lines().map(row).collect()
}

fn is_enabled(root: &Path, name: &str) -> String {
    let mut command = Command::new("systemctl");
    command.arg(format!("--root={}", root.display())).args(["is-enabled", name]).env("LC_ALL", "C");
    let output = command.output().expect("systemctl is needed; run tests/run");
    let text = String::from_utf8(output.stdout).unwrap().trim().replace("not-found", "");
    if text.is_empty() { "bad".to_owned() } else { text }
}

#[test]
fn states_of_made_up_trees_equal_systemctl() {
    let mut asked = 0;
    let mut kinds = std::collections::BTreeSet::new();
    for (about, tree, names) in TREES {
        let folder = tempfile::tempdir().unwrap();
        plant(folder.path(), tree);
        let units = read(&opened(folder.path()));
        let mut found = states(&units);
        let expected = systemctl(folder.path());
        let listed: BTreeMap<_, _> = expected.keys().filter_map(|name| found.get_key_value(name)).collect();
        assert_eq!(listed, expected.iter().collect(), "{about}");
        asked += expected.len();
        kinds.extend(expected.into_values());
        for name in *names {
            let state = is_enabled(folder.path(), name);
            let ours = found.remove(*name).unwrap_or_else(|| {
                let unit = systemd::state(&opened(folder.path()), name, &Limits::default());
                unit.unwrap().replace("not-found", "bad")
            });
            assert_eq!(ours, state, "{about}: {name}");
            asked += 1;
        }
    }
    assert!(TREES.len() >= 60 && asked >= 100 && kinds.len() >= 12, "{} {asked} {kinds:?}", TREES.len());
}

/// Copies what systemd reads of an image, so that systemctl can read it.
fn copy(root: &Root, from: &GuestPath, to: &Path) {
    let metadata = root.symlink_metadata(from).unwrap();
    match metadata.file_type {
        FileType::Directory => {
            fs::create_dir_all(to).unwrap();
            for entry in root.list(from).unwrap().items {
                let name = String::from_utf8(entry.name).unwrap();
                copy(root, &from.join(name.as_bytes()), &to.join(name));
            }
        }
        FileType::Symlink => {
            let target = String::from_utf8(root.read_link(from).unwrap()).unwrap();
            std::os::unix::fs::symlink(target, to).unwrap();
        }
        FileType::Regular if metadata.size < 1 << 20 => fs::write(to, root.read(from, 1 << 20).unwrap()).unwrap(),
        FileType::Regular | FileType::Other => {}
    }
}

#[test]
fn states_of_debian_images_equal_systemctl() {
    for (image, count) in [("debian12", 200), ("debian13", 200)] {
        let tree = open_image(image);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("usr/lib")).unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        for path in ["/etc/systemd", "/usr/lib/systemd", "/lib"] {
            copy(&tree.root, &GuestPath::new(path), &folder.path().join(&path[1..]));
        }
        let found = states(&read(&tree.root));
        let expected = systemctl(folder.path());
        let listed: BTreeMap<_, _> = expected.keys().filter_map(|name| found.get_key_value(name)).collect();
        assert_eq!(listed, expected.iter().collect(), "{image}");
        assert!(expected.len() >= count, "{image}: {}", expected.len());
        // What else is listed are instances that only links name.
        for (name, state) in found.iter().filter(|(name, _)| !expected.contains_key(*name)) {
            assert_eq!(*state, is_enabled(folder.path(), name), "{image}: {name}");
        }
    }
}
